"""Short words for tests of the scaling law: what was seen, what is asked for, and what follows when a decision is applied."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from msgspec.structs import replace

from taskfleet_operator.scaling import (
    Decided,
    Decision,
    Memory,
    OutcomeTotal,
    QueueObservation,
    ReadyTasks,
    RunningTasks,
    ScalingPolicy,
    Worker,
    decide,
)
from taskfleet_operator.scaling.capacity import Capacity
from taskfleet_operator.scaling.demand.work import Due
from taskfleet_operator.scaling.estimates.learn import Estimates

START = 1_000_000.0
"""When stories begin."""


def at(*, hours: float = 0, minutes: float = 0, seconds: float = 0) -> float:
    """A moment of a story."""
    return START + 3600 * hours + 60 * minutes + seconds


def policy(**changes: object) -> ScalingPolicy:
    return replace(ScalingPolicy(queue="q"), **changes)


def ready(count: int, *, age: float = 0.0, kind: str = "task") -> ReadyTasks:
    return ReadyTasks(kind=kind, count=count, oldest_seconds=age)


def running(count: int, *, each: float = 1.0, kind: str = "task") -> RunningTasks:
    return RunningTasks(kind=kind, count=count, running_seconds=count * each)


def total(outcome: str, count: int, *, code: str = "", busy: float = 0.0, kind: str = "task") -> OutcomeTotal:
    return OutcomeTotal(kind=kind, outcome=outcome, code=code, count=count, busy_seconds=busy)


def worker(number: int, *, slots: int = 1, leases: int = 0, **flags: object) -> Worker:
    return Worker(session_id=UUID(int=number), slots=slots, leases=leases, **flags)  # type: ignore[arg-type]


def crew(leases: Iterable[int], *, slots: int = 1) -> tuple[Worker, ...]:
    """Workers numbered from 1, with so many leases each."""
    return tuple(worker(number, slots=slots, leases=held) for number, held in enumerate(leases, start=1))


def seen(*workers: Worker, starting: int = 0, **changes: object) -> QueueObservation:
    """An observation of these workers; running tasks are made up from their leases unless given."""
    leases = sum(one.leases for one in workers)
    counted = sum(1 for one in workers if not one.leaving) + starting
    plain = QueueObservation(
        queue="q",
        workers=workers,
        starting=starting,
        replicas=counted,
        held=len(workers) + starting,
        running=(running(leases),) if leases else (),
    )
    return replace(plain, **changes)


def numbers(sessions: Iterable[UUID]) -> list[int]:
    """Workers by their number."""
    return sorted(session.int for session in sessions)


def applied(decision: Decision, observation: QueueObservation) -> QueueObservation:
    """The observation as it would be right after the decision was applied, nothing else having changed."""
    marks: dict[UUID, bool] = dict.fromkeys(decision.drain, True) | dict.fromkeys(decision.undrain, False)
    left = tuple(
        replace(one, draining=marks.get(one.session_id, one.draining), drained=one.drained and one.session_id not in decision.undrain)
        for one in observation.workers
        if one.session_id not in decision.removable
    )
    fewer = len(decision.removable) + decision.surplus_starting
    grown = decision.replicas - (observation.replicas - fewer)
    return replace(
        observation,
        workers=left,
        replicas=decision.replicas,
        held=observation.held - fewer + grown,
        starting=observation.starting - decision.surplus_starting + grown,
    )


def believed(service: Mapping[str, float] | float = 1.0, *, rates: Mapping[str, float] | None = None, startup: float = 15.0) -> Estimates:
    """Estimates given directly."""
    times = {"task": service} if isinstance(service, float | int) else dict(service)
    mean = sum(times.values()) / len(times)
    return Estimates(service=times, rates=rates or {}, startup_seconds=startup, lead_seconds=startup + 2, typical_service_seconds=mean)


def slots(*, busy: Mapping[str, float] | float = 0, idle: int = 0, starting: int = 0, per_pod: int = 1) -> Capacity:
    """Capacity given directly."""
    by_kind = {"task": float(busy)} if isinstance(busy, int | float) else dict(busy)
    by_kind = {kind: count for kind, count in by_kind.items() if count}
    all_slots = int(sum(by_kind.values())) + idle + starting
    return Capacity(
        slots=all_slots,
        idle=idle,
        starting=starting,
        busy=by_kind,
        running={kind: int(count) for kind, count in by_kind.items()},
        pods=-(-all_slots // per_pod),
        slots_per_pod=per_pod,
    )


def due(counts: Mapping[str, float] | float, slack: float, *, pressing: bool = False) -> Due:
    """Work that must start within a slack."""
    by_kind = {"task": float(counts)} if isinstance(counts, int | float) else dict(counts)
    return Due(slack_seconds=slack, counts=by_kind, total=sum(by_kind.values()), pressing=pressing)


class Story:
    """One queue over time: each sentence says what is seen at a moment; marks, new and removed workers carry over."""

    def __init__(self, rules: ScalingPolicy, memory: Memory | None = None) -> None:
        self.rules = rules
        self.memory = memory or Memory()
        self.decided: Decided | None = None

    def decide(self, observation: QueueObservation, *, now: float) -> Decision:
        """One tick; the decision is remembered."""
        self.decided = decide(observation, self.rules, self.memory, now=now)
        self.memory = self.decided.memory
        return self.decided.decision

    def watch(self, observation: QueueObservation, *, start: float, end: float) -> Decision:
        """The same sight at every tick from start to end; returns the last decision. Nothing is applied meanwhile."""
        now = start
        decision = self.decide(observation, now=now)
        while now + self.rules.tick_seconds <= end:
            now += self.rules.tick_seconds
            decision = self.decide(observation, now=now)
        return decision
