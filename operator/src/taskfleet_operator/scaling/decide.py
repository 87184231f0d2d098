"""The law: an observation, a policy and a memory in; a decision and a memory out."""

from dataclasses import replace
from math import ceil

from taskfleet_operator.scaling.decision import Decided, Decision, Step
from taskfleet_operator.scaling.memory import Memory
from taskfleet_operator.scaling.observation import QueueObservation
from taskfleet_operator.scaling.policy import Mode, ScalingPolicy, StopPolicy
from taskfleet_operator.scaling.reasons import Reason


def decide(observation: QueueObservation, policy: ScalingPolicy, memory: Memory, *, now: float) -> Decided:
    """Decide one queue at `now` (seconds since 1970 by the database's clock)."""
    work = sum(bucket.count for bucket in observation.ready) + sum(kind.count for kind in observation.running)
    wanted = max(policy.min_replicas, ceil(work / policy.slots_per_replica))
    desired = min(policy.max_replicas, wanted)
    free = [worker for worker in observation.workers if worker.leases == 0 and worker.drained]
    removable = tuple(worker.session_id for worker in free[: max(0, observation.replicas - desired)])
    undrained = [worker for worker in observation.workers if not worker.draining]
    surplus = sorted(undrained, key=lambda worker: worker.leases)[: max(0, len(undrained) - desired)]
    reason = Reason.DEADLINE_DEMAND if work else Reason.STEADY
    decision = Decision(
        queue=observation.queue,
        wanted=wanted,
        desired=desired,
        replicas=max(desired, observation.replicas - len(removable)),
        drain=tuple(worker.session_id for worker in surplus),
        removable=removable,
        hold_claims=policy.stop is not StopPolicy.NONE,
        applied=policy.mode is Mode.AUTO,
        reason=reason,
        message=f"{desired} workers: {work} tasks wait or run",
        steps=(Step(name="work", did=f"{work} tasks wait or run", slots=float(work), reason=reason),),
    )
    return Decided(decision=decision, memory=replace(memory, decided_at=now))
