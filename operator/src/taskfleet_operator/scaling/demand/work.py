"""The waiting work that counts: two lanes, by urgency, and of each kind only what its quota and rate let start in time."""

from collections.abc import Mapping
from math import inf

from msgspec import Struct, field

from taskfleet_operator.scaling.estimates.learn import Estimates
from taskfleet_operator.scaling.extremes import larger, smaller
from taskfleet_operator.scaling.observation import QueueObservation, ReadyTasks
from taskfleet_operator.scaling.policy import NOT_STOPPED, KindLimits, ScalingPolicy

SAFETY = 0.7
"""η: the part of the goal that is planned with."""
URGENCY_CLASSES = 32
"""Slacks are rounded down to so many steps, so that a deep backlog costs no more than a shallow one."""


class Due(Struct, frozen=True, kw_only=True, gc=False):
    """All work of a lane that must start within the slack: the bucket itself and everything older."""

    slack_seconds: float
    counts: Mapping[str, float]
    """Admissible tasks by kind."""
    total: float
    room: Mapping[str, int] = field(default_factory=dict)
    """Kinds with a quota, and how many more of their tasks may run at once than run now."""
    pressing: bool = False
    """The slack is at its floor: what is hoped for now and fails cannot be made good later."""


class Lane(Struct, frozen=True, kw_only=True, gc=False):
    """The waiting work of one lane, most urgent first; each entry contains the ones before it."""

    due: tuple[Due, ...] = ()
    oldest_seconds: float = 0.0
    waiting: int = 0
    """All its tasks, those that may not start now included."""

    @property
    def all(self) -> Due | None:
        """Everything that waits in the lane; None when nothing does."""
        return self.due[-1] if self.due else None

    @property
    def total(self) -> float:
        """Admissible tasks of the lane."""
        return self.due[-1].total if self.due else 0.0


class Work(Struct, frozen=True, kw_only=True, gc=False):
    """What waits and may start."""

    fresh: Lane
    stale: Lane

    @property
    def total(self) -> float:
        """Admissible tasks of both lanes."""
        return self.fresh.total + self.stale.total if self.stale.due else self.fresh.total

    @property
    def plain(self) -> bool:
        """Whether one lane is all there is and no kind in it has a quota."""
        return not self.stale.due and not (self.fresh.due and self.fresh.due[-1].room)

    @property
    def waiting(self) -> int:
        """Tasks of both lanes, whether they may start or not."""
        return self.fresh.waiting + self.stale.waiting


NOTHING = Lane()
NO_WORK = Work(fresh=NOTHING, stale=NOTHING)


class Goal(Struct, frozen=True, kw_only=True, gc=False):
    """How a lane turns ages into slacks."""

    wait_seconds: float
    least_slack_seconds: float
    aged_from_seconds: float = 0.0
    """A stale task's wait counts from when it became stale."""

    @property
    def floor_seconds(self) -> float:
        """No slack is less."""
        return larger(self.least_slack_seconds, self.wait_seconds / 4)

    def slack(self, age_seconds: float) -> float:
        """Seconds left for a task of this age, never less than a new worker needs."""
        left = SAFETY * self.wait_seconds - larger(0.0, age_seconds - self.aged_from_seconds)
        return larger(left, self.floor_seconds)

    def urgency(self, age_seconds: float) -> float:
        """The slack rounded down to a step."""
        least = self.floor_seconds
        slack = SAFETY * self.wait_seconds - larger(0.0, age_seconds - self.aged_from_seconds)
        if slack <= least:
            return least
        step = (SAFETY * self.wait_seconds - least) / URGENCY_CLASSES
        return least + int((slack - least) / step) * step


def slot_seconds(due: Due, service: Mapping[str, float]) -> float:
    """How long one slot would need for the work."""
    seconds = 0.0
    for kind, count in due.counts.items():
        seconds += count * service[kind]
    return seconds


def least_slack(policy: ScalingPolicy, estimates: Estimates) -> float:
    """D + 1.5 ticks: sooner nobody new can serve."""
    return estimates.startup_seconds + 1.5 * policy.tick_seconds


def fresh_goal(policy: ScalingPolicy, estimates: Estimates) -> Goal:
    """The goal of the fresh lane."""
    return Goal(wait_seconds=policy.max_wait_seconds, least_slack_seconds=least_slack(policy, estimates))


def stale_goal(policy: ScalingPolicy, estimates: Estimates) -> Goal:
    """The goal of the stale lane."""
    lanes, least = policy.lanes, least_slack(policy, estimates)
    return Goal(wait_seconds=lanes.stale_wait_seconds, least_slack_seconds=least, aged_from_seconds=lanes.fresh_seconds)


def admissible_work(
    observation: QueueObservation,
    policy: ScalingPolicy,
    estimates: Estimates,
    *,
    running: Mapping[str, int],
    breakers: Mapping[str, int],
) -> Work:
    """The work that may start. Paused and held tasks are none; a kind under a breaker counts as if that were its quota."""
    if observation.paused or policy.stop is not NOT_STOPPED or not observation.ready:
        return NO_WORK
    admit = _Admission(policy=policy, service=estimates.service, running=running, breakers=breakers)
    fresh: list[ReadyTasks] = []
    stale: list[ReadyTasks] = []
    limit = policy.lanes.fresh_seconds
    for bucket in observation.ready:
        if bucket.count > 0 and bucket.kind not in observation.paused_kinds:
            (fresh if bucket.oldest_seconds <= limit else stale).append(bucket)
    return Work(
        fresh=_lane(fresh, fresh_goal(policy, estimates), admit) if fresh else NOTHING,
        stale=_lane(stale, stale_goal(policy, estimates), admit) if stale else NOTHING,
    )


class _Admission:
    """What of each kind may start within a slack: min(q, (quota − running)⁺ + quota·x/S, rate·x)."""

    def __init__(
        self, *, policy: ScalingPolicy, service: Mapping[str, float], running: Mapping[str, int], breakers: Mapping[str, int]
    ) -> None:
        self._service = service
        self._limits: dict[str, KindLimits] = {}
        self._room: Mapping[str, int] = {}
        if policy.kinds or breakers:
            self._limit(policy, running, breakers)

    def _limit(self, policy: ScalingPolicy, running: Mapping[str, int], breakers: Mapping[str, int]) -> None:
        self._limits = {kind.kind: kind for kind in policy.kinds if kind.max_concurrent is not None or kind.rate_starts is not None}
        for kind, slots in breakers.items():
            limit = self._limits.get(kind, KindLimits(kind=kind))
            self._limits[kind] = KindLimits(
                kind=kind,
                max_concurrent=slots if limit.max_concurrent is None else smaller(slots, limit.max_concurrent),
                rate_starts=limit.rate_starts,
                rate_period_seconds=limit.rate_period_seconds,
            )
        self._room = {
            kind: larger(0, limit.max_concurrent - running.get(kind, 0))
            for kind, limit in self._limits.items()
            if limit.max_concurrent is not None
        }

    def within(self, slack: float, waiting: Mapping[str, int], *, pressing: bool) -> Due:
        """The admissible part of `waiting`."""
        counts: dict[str, float] = dict(waiting)
        for kind, limit in self._limits.items():
            if kind in counts:
                counts[kind] = smaller(counts[kind], self._may_start(limit, slack))
        return Due(slack_seconds=slack, counts=counts, total=sum(counts.values()), room=self._room, pressing=pressing)

    def _may_start(self, limit: KindLimits, slack: float) -> float:
        by_rate = inf if limit.starts_per_second is None else limit.starts_per_second * slack
        if limit.max_concurrent is None:
            return by_rate
        return smaller(by_rate, self._room[limit.kind] + limit.max_concurrent * slack / self._service[limit.kind])


def _lane(buckets: list[ReadyTasks], goal: Goal, admit: _Admission) -> Lane:
    oldest = 0.0
    classes: dict[float, list[ReadyTasks]] = {}
    for bucket in buckets:
        oldest = larger(oldest, bucket.oldest_seconds)
        classes.setdefault(goal.urgency(bucket.oldest_seconds), []).append(bucket)
    due = []
    waiting: dict[str, int] = {}
    floor = goal.floor_seconds
    for slack in sorted(classes):
        for bucket in classes[slack]:
            waiting[bucket.kind] = waiting.get(bucket.kind, 0) + bucket.count
        due.append(admit.within(slack, waiting, pressing=slack <= floor))
    return Lane(due=tuple(due), oldest_seconds=oldest, waiting=sum(waiting.values()))
