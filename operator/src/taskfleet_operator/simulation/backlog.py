"""The simulated queue: who waits, in what order they are claimed, and how old they look to the operator.

The operator sees ages as the ledger has them (backlog_bucket): in buckets that are wider the older they are.
Two lanes as in the real queue: tasks older than the lanes' limit have their share of the claims and whatever the fresh ones leave over.
"""

from collections import Counter, deque
from dataclasses import dataclass

from taskfleet_operator.scaling import KindLimits, Lanes, ReadyTasks
from taskfleet_operator.simulation.tasks import SimulatedTask

CLASSES = ((14_400, 57_600), (3_600, 7_200), (900, 3_600), (300, 1_200), (60, 240), (15, 60))
"""Width of a bucket, and the age of its start from which it is used, in seconds; 5 s before that."""


@dataclass(kw_only=True, slots=True, eq=False)
class Waiting:
    """A task in the queue."""

    task: SimulatedTask
    since: float
    """Its run_at: ages count from here."""
    calls: int = 0
    failures: int = 0
    """Attempts used up."""
    first_wait: float | None = None


class Backlog:
    """Ready tasks by kind and lane, oldest first."""

    def __init__(self, kinds: tuple[KindLimits, ...], lanes: Lanes) -> None:
        self._limits = {kind.kind: kind for kind in kinds}
        self._lanes = lanes
        self._fresh: dict[str, deque[Waiting]] = {}
        self._stale: dict[str, deque[Waiting]] = {}
        self._credit = 0.0
        """Claims that the stale lane has coming to it."""
        self._ages: dict[str, Counter[float]] = {}
        self._starts: dict[str, deque[float]] = {}
        self._size = 0
        self.running: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._size

    def add(self, waiting: Waiting, *, now: float) -> None:
        """Let a task wait. Returned tasks wait at the end of their lane."""
        kind = waiting.task.kind
        lane = self._stale if now - waiting.since > self._lanes.fresh_seconds else self._fresh
        lane.setdefault(kind, deque()).append(waiting)
        self._ages.setdefault(kind, Counter())[_floor(waiting.since, 5)] += 1
        self._size += 1

    def take(self, *, now: float, gates: dict[str, int]) -> Waiting | None:
        """Claim the oldest task of the lane whose turn it is that its kind's limits allow."""
        self._age(now)
        fresh, stale = self._head(self._fresh, now=now, gates=gates), self._head(self._stale, now=now, gates=gates)
        if fresh is not None and stale is not None:
            self._credit += self._lanes.stale_share
            if self._credit >= 1:
                self._credit -= 1
                fresh = None
        queue = fresh if fresh is not None else stale
        return None if queue is None else self._claimed(queue.popleft(), now=now)

    def seen(self, *, now: float) -> tuple[ReadyTasks, ...]:
        """The age profile."""
        profile: Counter[tuple[str, float]] = Counter()
        for kind, ages in self._ages.items():
            for start, count in ages.items():
                profile[kind, _widened(start, now)] += count
        return tuple(ReadyTasks(kind=kind, count=count, oldest_seconds=now - start) for (kind, start), count in profile.items())

    def oldest_since(self) -> float | None:
        """When the oldest waiting task began to wait, to five seconds."""
        return min((min(ages) for ages in self._ages.values() if ages), default=None)

    def _age(self, now: float) -> None:
        """Move what has become stale."""
        limit = now - self._lanes.fresh_seconds
        for kind, queue in self._fresh.items():
            while queue and queue[0].since < limit:
                self._stale.setdefault(kind, deque()).append(queue.popleft())

    def _head(self, lane: dict[str, deque[Waiting]], *, now: float, gates: dict[str, int]) -> deque[Waiting] | None:
        heads = [queue for kind, queue in lane.items() if queue and self._may(kind, now=now, gates=gates)]
        return min(heads, key=lambda queue: queue[0].since, default=None)

    def _claimed(self, waiting: Waiting, *, now: float) -> Waiting:
        kind = waiting.task.kind
        ages, bucket = self._ages[kind], _floor(waiting.since, 5)
        ages[bucket] -= 1
        if not ages[bucket]:
            del ages[bucket]
        self._size -= 1
        self.running[kind] += 1
        if kind in self._limits and self._limits[kind].rate_starts is not None:
            self._starts.setdefault(kind, deque()).append(now)
        return waiting

    def _may(self, kind: str, *, now: float, gates: dict[str, int]) -> bool:
        if kind in gates and self.running[kind] >= gates[kind]:
            return False
        limit = self._limits.get(kind)
        if limit is None:
            return True
        if limit.max_concurrent is not None and self.running[kind] >= limit.max_concurrent:
            return False
        return limit.rate_starts is None or self._rate_allows(kind, limit.rate_starts, limit.rate_period_seconds, now=now)

    def _rate_allows(self, kind: str, starts: int, period: float, *, now: float) -> bool:
        recent = self._starts.setdefault(kind, deque())
        while recent and recent[0] <= now - period:
            recent.popleft()
        return len(recent) < starts


def _floor(at: float, width: float) -> float:
    return at // width * width


def _widened(start: float, now: float) -> float:
    return next((floor for width, least_age in CLASSES if now - (floor := _floor(start, width)) >= least_age), start)
