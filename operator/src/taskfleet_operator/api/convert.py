"""What a spec becomes elsewhere: the policy that the database enforces, and the policy that the scaling law follows."""

from taskfleet.models import KindPolicy, QueuePolicy
from taskfleet_operator.api.spec.kinds import KindSpec
from taskfleet_operator.api.spec.scaling import ScalingRulesSpec
from taskfleet_operator.api.task_queue import TaskQueue
from taskfleet_operator.scaling.policy import (
    Behavior,
    BlindBehavior,
    Direction,
    KindLimits,
    Lanes,
    Mode,
    OnDatabaseError,
    RateUnit,
    ScalingPolicy,
    ScalingRate,
    ScalingRules,
    Select,
    StopPolicy,
)


def queue_policy(task_queue: TaskQueue) -> QueuePolicy:
    """Give what the database must enforce at claim time."""
    spec = task_queue.spec
    return QueuePolicy(
        queue=task_queue.queue,
        kinds=tuple(_kind_policy(kind) for kind in spec.kinds),
        max_concurrent=spec.max_concurrent,
        wait_goal_seconds=float(spec.goal.max_wait_seconds),
        fresh_seconds=float(spec.lanes.fresh_seconds),
        stale_share=spec.lanes.stale_share_percent / 100,
        stale_wait_seconds=float(spec.lanes.stale_wait_seconds),
        waiting_expiry_seconds=float(spec.expiry.waiting_seconds),
        running_timeout_seconds=float(spec.expiry.running_seconds),
        # The database knows no retention of nothing: 0 is what the next run of maintenance takes.
        failed_retention_seconds=max(1.0, spec.retention.failed_seconds),
        succeeded_retention_seconds=max(1.0, spec.retention.succeeded_seconds),
        max_length=spec.limits.max_length,
        warn_length=spec.limits.warn_length,
        max_payload_bytes=spec.limits.max_payload_bytes,
        max_result_bytes=spec.limits.max_result_bytes,
        held=spec.stop_policy != "None",
    )


def scaling_policy(task_queue: TaskQueue, *, tick_seconds: float) -> ScalingPolicy:
    """Give what the scaling law is asked for."""
    spec, scaling = task_queue.spec, task_queue.spec.scaling
    return ScalingPolicy(
        queue=str(task_queue.key),
        max_wait_seconds=float(spec.goal.max_wait_seconds),
        min_replicas=scaling.min_replicas,
        max_replicas=scaling.max_replicas,
        slots_per_replica=spec.worker.concurrency,
        max_concurrent=spec.max_concurrent,
        kinds=tuple(_kind_limits(kind) for kind in spec.kinds),
        lanes=Lanes(
            fresh_seconds=float(spec.lanes.fresh_seconds),
            stale_share=spec.lanes.stale_share_percent / 100,
            stale_wait_seconds=float(spec.lanes.stale_wait_seconds),
        ),
        weight=float(scaling.weight),
        priority=scaling.priority,
        panic_backlog=scaling.panic_backlog,
        max_overload_percent=float(scaling.failures.max_overload_percent),
        mode=Mode(scaling.mode),
        pause=frozenset(Direction(direction) for direction in scaling.pause),
        stop=StopPolicy(spec.stop_policy),
        on_database_error=OnDatabaseError(
            behavior=BlindBehavior(scaling.on_database_error.behavior),
            failure_threshold=scaling.on_database_error.failure_threshold,
            replicas=scaling.on_database_error.replicas,
        ),
        behavior=Behavior(scale_up=_rules(scaling.behavior.scale_up), scale_down=_rules(scaling.behavior.scale_down)),
        tick_seconds=tick_seconds,
    )


def termination_grace_seconds(task_queue: TaskQueue) -> int:
    """Give how long a worker that is told to stop may take: the longest task it may be running, and at least drainSeconds."""
    spec = task_queue.spec
    return max(spec.worker.drain_seconds, *(kind.timeout_seconds or 0 for kind in spec.kinds), 0)


def _kind_policy(kind: KindSpec) -> KindPolicy:
    return KindPolicy(
        kind=kind.name,
        max_concurrent=kind.max_concurrent,
        rate_starts=kind.rate.starts if kind.rate else None,
        rate_period_seconds=float(kind.rate.period_seconds) if kind.rate else None,
        expected_seconds=None if kind.expected_seconds is None else float(kind.expected_seconds),
        timeout_seconds=None if kind.timeout_seconds is None else float(kind.timeout_seconds),
        max_attempts=kind.retry.max_attempts,
        min_backoff_seconds=float(kind.retry.min_backoff_seconds),
        max_backoff_seconds=float(kind.retry.max_backoff_seconds),
    )


def _kind_limits(kind: KindSpec) -> KindLimits:
    return KindLimits(
        kind=kind.name,
        max_concurrent=kind.max_concurrent,
        rate_starts=kind.rate.starts if kind.rate else None,
        rate_period_seconds=float(kind.rate.period_seconds) if kind.rate else 1.0,
        expected_seconds=None if kind.expected_seconds is None else float(kind.expected_seconds),
    )


def _rules(rules: ScalingRulesSpec | None) -> ScalingRules | None:
    if rules is None:
        return None
    return ScalingRules(
        stabilization_seconds=float(rules.stabilization_window_seconds),
        select=Select(rules.select_policy),
        rates=tuple(
            ScalingRate(unit=RateUnit(policy.type), value=policy.value, period_seconds=float(policy.period_seconds))
            for policy in rules.policies
        ),
    )
