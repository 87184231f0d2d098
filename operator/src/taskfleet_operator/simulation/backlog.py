"""The simulated queue: who waits, in what order they are claimed, and how old they look to the operator.

The operator sees ages as the ledger has them: buckets of 5 s below five minutes, a minute below an hour, an hour beyond.
"""

from collections import Counter, deque
from dataclasses import dataclass

from taskfleet_operator.scaling import KindLimits, ReadyTasks
from taskfleet_operator.simulation.tasks import SimulatedTask


@dataclass(kw_only=True, slots=True, eq=False)
class Waiting:
    """A task in the queue."""

    task: SimulatedTask
    since: float
    """Its run_at: ages count from here."""
    calls: int = 0
    first_wait: float | None = None


class Backlog:
    """Ready tasks by kind, oldest first."""

    def __init__(self, kinds: tuple[KindLimits, ...]) -> None:
        self._limits = {kind.kind: kind for kind in kinds}
        self._queues: dict[str, deque[Waiting]] = {}
        self._ages: dict[str, Counter[float]] = {}
        self._starts: dict[str, deque[float]] = {}
        self.running: Counter[str] = Counter()

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def add(self, waiting: Waiting) -> None:
        """Let a task wait. Returned tasks wait at the end of the queue."""
        kind = waiting.task.kind
        self._queues.setdefault(kind, deque()).append(waiting)
        self._ages.setdefault(kind, Counter())[_floor(waiting.since, 5)] += 1

    def take(self, *, now: float, gates: dict[str, int]) -> Waiting | None:
        """Claim the oldest task that its kind's limits allow."""
        heads = [(queue[0].since, kind) for kind, queue in self._queues.items() if queue and self._may(kind, now=now, gates=gates)]
        if not heads:
            return None
        kind = min(heads)[1]
        waiting = self._queues[kind].popleft()
        ages, bucket = self._ages[kind], _floor(waiting.since, 5)
        ages[bucket] -= 1
        if not ages[bucket]:
            del ages[bucket]
        self.running[kind] += 1
        if kind in self._limits and self._limits[kind].rate_starts is not None:
            self._starts.setdefault(kind, deque()).append(now)
        return waiting

    def seen(self, *, now: float) -> tuple[ReadyTasks, ...]:
        """The age profile."""
        profile: Counter[tuple[str, float]] = Counter()
        for kind, ages in self._ages.items():
            for start, count in ages.items():
                profile[kind, _widened(start, now)] += count
        return tuple(ReadyTasks(kind=kind, count=count, oldest_seconds=now - start) for (kind, start), count in profile.items())

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
    if now - _floor(start, 3600) >= 7200:
        return _floor(start, 3600)
    return _floor(start, 60) if now - _floor(start, 60) >= 360 else start
