"""The decision for a queue that cannot be seen: its database is unreachable or the measuring query timed out."""

from taskfleet_operator.scaling.decision import Decision, Step
from taskfleet_operator.scaling.policy import BlindBehavior, OnDatabaseError, ScalingPolicy
from taskfleet_operator.scaling.reasons import Reason


def decide_blind(policy: ScalingPolicy, *, replicas: int, failures: int, error: str) -> Decision:
    """Keep, raise or fix the replicas as `onDatabaseError` says. Nobody is marked, nothing is remembered.

    `replicas` is what the target is set to, `failures` how many ticks in a row failed, `error` the cause in words.
    """
    rule = policy.on_database_error
    desired = min(policy.max_replicas, _fallback(rule, replicas=replicas)) if failures >= rule.failure_threshold else replicas
    message = f"{desired} workers: the database cannot be read ({error}); onDatabaseError is {rule.behavior}, failed tick {failures}"
    return Decision(
        queue=policy.queue,
        wanted=desired,
        desired=desired,
        # Lowering here would let the target pick a busy worker: without the database nobody knows who is free.
        replicas=max(desired, replicas),
        applied=desired > replicas,
        reason=Reason.DATABASE_UNREACHABLE,
        said=message,
        steps=(Step(name="blind", clause=message, reason=Reason.DATABASE_UNREACHABLE),),
    )


def _fallback(rule: OnDatabaseError, *, replicas: int) -> int:
    if rule.behavior is BlindBehavior.CURRENT_REPLICAS:
        return replicas
    if rule.behavior is BlindBehavior.CURRENT_REPLICAS_IF_HIGHER:
        return max(replicas, rule.replicas)
    return rule.replicas
