"""The conditions and the status of a TaskQueue, out of the facts of a tick. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from taskfleet_operator.api.conditions import ConditionReason, ConditionType, Status
from taskfleet_operator.loop.facts import QueueFacts
from taskfleet_operator.scaling import Reason

LONGEST_MESSAGE: Final = 4_000
_STILL_ANSWERS: Final = frozenset({ConditionReason.QUEUE_HELD, ConditionReason.QUEUE_CONFLICT})


@dataclass(frozen=True, kw_only=True)
class ConditionSaid:
    """One condition as it is now."""

    type: ConditionType
    status: Status
    reason: str
    message: str
    since: float = 0.0
    """When the status last changed, in seconds since 1970."""


def conditions_of(facts: QueueFacts) -> tuple[ConditionSaid, ...]:
    """Give all conditions, always the same ones in the same order."""
    return (
        _ready(facts),
        _active(facts),
        _database_reachable(facts),
        _workers_available(facts),
        _scaling_limited(facts),
        _goal_reachable(facts),
        _paused(facts),
        _degraded(facts),
    )


def status_of(
    facts: QueueFacts, conditions: Sequence[ConditionSaid], *, decided_at: float | None, scaled_at: float | None
) -> dict[str, object]:
    """Give the status as the API server takes it; what is not known is left out."""
    measurement, fleet, decision, rates = facts.measurement, facts.fleet, facts.decision, facts.rates
    numbers: dict[str, object | None] = {
        "observedGeneration": facts.known.generation or None,
        "replicas": fleet.held if fleet else None,
        "desiredReplicas": decision.desired if decision else None,
        "wantedReplicas": decision.wanted if decision else None,
        "readyReplicas": serving_workers(facts) if fleet else None,
        "selector": fleet.selector if fleet else None,
        "tasks": {
            "ready": facts.ready_tasks,
            "running": facts.running_tasks,
            "scheduled": measurement.scheduled,
            "failed": measurement.failed,
        }
        if measurement
        else None,
        "oldestReadySeconds": round(facts.oldest_seconds, 1) if measurement else None,
        "ratePerMinute": round(rates.finished_per_minute, 1) if rates else None,
        "failurePercent": round(rates.failure_percent, 1) if rates and rates.failure_percent is not None else None,
        "decision": _decision(facts, decided_at),
        "lastScaleTime": time_text(scaled_at) if scaled_at is not None else None,
        "conditions": [_written(condition, facts.known.generation) for condition in conditions],
    }
    return {name: value for name, value in numbers.items() if value is not None}


def serving_workers(facts: QueueFacts) -> int:
    """Count the workers that are up: they have a session, and were not told to end."""
    if facts.fleet is None:
        return 0
    if facts.measurement is None:
        return facts.fleet.ready
    sessions = {session.pod_uid for session in facts.measurement.sessions}
    return sum(1 for worker in facts.fleet.workers if worker.pod in sessions and worker.ready and not worker.leaving)


def time_text(seconds: float) -> str:
    """Write a moment as Kubernetes does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _decision(facts: QueueFacts, decided_at: float | None) -> Mapping[str, object] | None:
    if facts.decision is None or decided_at is None:
        return None
    return {
        "reason": facts.decision.reason.value,
        "message": facts.decision.message[:LONGEST_MESSAGE],
        "time": time_text(decided_at),
    }


def _written(condition: ConditionSaid, generation: int) -> dict[str, object]:
    written: dict[str, object] = {
        "type": condition.type.value,
        "status": condition.status.value,
        "reason": condition.reason,
        "message": condition.message[:LONGEST_MESSAGE],
        "lastTransitionTime": time_text(condition.since),
    }
    return written | ({"observedGeneration": generation} if generation else {})


def _said(type_: ConditionType, status: Status, reason: ConditionReason | Reason, message: str) -> ConditionSaid:
    return ConditionSaid(type=type_, status=status, reason=reason.value, message=message)


def _ready(facts: QueueFacts) -> ConditionSaid:
    kind = ConditionType.READY
    if facts.known.faults:
        return _said(kind, Status.FALSE, ConditionReason.SPEC_INVALID, _faults(facts))
    for trouble in (facts.database_trouble, facts.target_trouble):
        if trouble is not None:
            return _said(kind, Status.FALSE, trouble.reason, trouble.message)
    if facts.fleet is not None and facts.fleet.problem:
        return _said(kind, Status.FALSE, ConditionReason.WORKERS_FAILING, facts.fleet.problem)
    if facts.decision is None:
        return _said(kind, Status.UNKNOWN, ConditionReason.NOT_SEEN_YET, "the operator has not looked yet")
    return _said(kind, Status.TRUE, ConditionReason.READY, facts.decision.message or "the fleet follows its work")


def _active(facts: QueueFacts) -> ConditionSaid:
    kind = ConditionType.ACTIVE
    if facts.measurement is None or facts.fleet is None:
        return _said(kind, Status.UNKNOWN, ConditionReason.NOT_SEEN_YET, "the queue or its workers cannot be seen now")
    if facts.ready_tasks or facts.running_tasks:
        message = f"{facts.ready_tasks:,} tasks wait, the oldest for {facts.oldest_seconds:,.0f} s, and {facts.running_tasks:,} run"
        return _said(kind, Status.TRUE, ConditionReason.WORK_WAITING, message)
    if facts.fleet.held:
        return _said(kind, Status.TRUE, ConditionReason.WORKERS_IDLE, f"no task waits or runs; {facts.fleet.held} workers are there")
    return _said(kind, Status.FALSE, ConditionReason.NO_WORK, "no task waits or runs, and no worker is there")


def _database_reachable(facts: QueueFacts) -> ConditionSaid:
    kind, trouble = ConditionType.DATABASE_REACHABLE, facts.database_trouble
    if trouble is not None and trouble.reason not in _STILL_ANSWERS:
        return _said(kind, Status.FALSE, trouble.reason, trouble.message)
    if facts.measurement is not None:
        return _said(kind, Status.TRUE, ConditionReason.DATABASE_ANSWERS, "the last look brought an answer")
    return _said(kind, Status.UNKNOWN, ConditionReason.NOT_SEEN_YET, "this operator has not looked at the queue")


def _workers_available(facts: QueueFacts) -> ConditionSaid:
    kind, fleet = ConditionType.WORKERS_AVAILABLE, facts.fleet
    if facts.target_trouble is not None:
        return _said(kind, Status.FALSE, facts.target_trouble.reason, facts.target_trouble.message)
    if fleet is None:
        return _said(kind, Status.UNKNOWN, ConditionReason.NOT_SEEN_YET, "the workers have not been seen yet")
    if fleet.problem:
        return _said(kind, Status.FALSE, ConditionReason.WORKERS_FAILING, fleet.problem)
    if not fleet.replicas:
        return _said(kind, Status.TRUE, ConditionReason.NO_WORKERS_WANTED, f"no worker is asked for, {fleet.held} are there")
    serving = serving_workers(facts)
    message = f"{serving} of {fleet.replicas} workers are up"
    if serving < fleet.replicas:
        return _said(kind, Status.TRUE if serving else Status.FALSE, ConditionReason.WORKERS_STARTING, message)
    return _said(kind, Status.TRUE, ConditionReason.WORKERS_RUNNING, message)


def _scaling_limited(facts: QueueFacts) -> ConditionSaid:
    kind, decision = ConditionType.SCALING_LIMITED, facts.decision
    if decision is not None and decision.limited_by is not None:
        return _said(kind, Status.TRUE, decision.limited_by, decision.message)
    return _said(kind, Status.FALSE, ConditionReason.WITHIN_LIMITS, "no ceiling keeps the fleet smaller than its work asks for")


def _goal_reachable(facts: QueueFacts) -> ConditionSaid:
    kind, goal = ConditionType.GOAL_REACHABLE, facts.task_queue.spec.goal.max_wait_seconds if facts.task_queue else 0
    if facts.decision is None:
        return _said(kind, Status.UNKNOWN, ConditionReason.NOT_SEEN_YET, "nothing has been decided yet")
    if facts.decision.goal_reachable:
        return _said(kind, Status.TRUE, ConditionReason.GOAL_HOLDS, f"a worker starts within the goal of {goal:,} s")
    message = f"a worker takes longer to start than the goal of {goal:,} s allows: keep minReplicas, or raise goal.maxWaitSeconds"
    return _said(kind, Status.FALSE, ConditionReason.GOAL_TOO_SHORT, message)


def _paused(facts: QueueFacts) -> ConditionSaid:
    kind, spec = ConditionType.PAUSED, facts.task_queue.spec if facts.task_queue else None
    if spec is not None and spec.stop_policy != "None":
        return _said(kind, Status.TRUE, ConditionReason.HELD, f"stopPolicy is {spec.stop_policy}: nothing is claimed")
    if facts.measurement is not None and facts.measurement.paused:
        return _said(kind, Status.TRUE, ConditionReason.PAUSED_BY_HAND, "the queue is paused in the database: nothing is claimed")
    if spec is not None and spec.scaling.mode == "Recommend":
        return _said(kind, Status.TRUE, Reason.RECOMMEND, "scaling.mode is Recommend: decisions are reported and not applied")
    if spec is not None and spec.scaling.pause:
        directions = " and ".join(spec.scaling.pause)
        return _said(kind, Status.TRUE, ConditionReason.SCALING_PAUSED, f"scaling.pause is {directions}: the fleet keeps its size there")
    return _said(kind, Status.FALSE, ConditionReason.NOT_PAUSED, "nothing is paused")


def _degraded(facts: QueueFacts) -> ConditionSaid:
    kind = ConditionType.DEGRADED
    if facts.known.faults:
        return _said(kind, Status.TRUE, ConditionReason.SPEC_INVALID, _faults(facts))
    if facts.database_trouble is not None and facts.database_trouble.reason in _STILL_ANSWERS:
        return _said(kind, Status.TRUE, facts.database_trouble.reason, facts.database_trouble.message)
    if facts.target_trouble is not None:
        return _said(kind, Status.TRUE, facts.target_trouble.reason, facts.target_trouble.message)
    if facts.decision is not None and facts.decision.reason is Reason.REPLICAS_CONTESTED:
        return _said(kind, Status.TRUE, ConditionReason.REPLICAS_CONTESTED, facts.decision.message)
    return _said(kind, Status.FALSE, ConditionReason.AS_SPECIFIED, "the spec is followed")


def _faults(facts: QueueFacts) -> str:
    kept = "; the last good version is followed" if facts.known.followed is not None else ""
    return " · ".join(str(fault) for fault in facts.known.faults) + kept
