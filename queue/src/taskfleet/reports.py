"""What people look at: statistics, trend, efficiency. Frozen values, standard library only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from taskfleet.measurements import OutcomeCount


@dataclass(frozen=True, kw_only=True)
class KindStats:
    """Tasks of one kind by state."""

    queue: str
    kind: str
    scheduled: int = 0
    ready: int = 0
    paused: int = 0
    """Put aside, themselves or with their group; the tasks of a paused kind or queue count as ready."""
    running: int = 0
    succeeded: int = 0
    """Kept ones: retention takes them away."""
    failed: int = 0
    cancelled: int = 0
    created_last_day: int = 0
    """Enqueued in the last 24 hours, whatever became of them."""

    @property
    def total(self) -> int:
        """All tasks of the kind that are kept."""
        return self.scheduled + self.ready + self.paused + self.running + self.succeeded + self.failed + self.cancelled


@dataclass(frozen=True, kw_only=True)
class CodeCount:
    """Attempts that ended for good with one error code."""

    code: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Attention:
    """Tasks of one kind that somebody should look at."""

    queue: str
    kind: str
    what: str
    """`overdue_running`: past their time-out; `overdue_waiting`: ready for longer than the queue's wait goal, two hours if it has none."""
    count: int
    oldest_seconds: float
    """How long the oldest of them has run or waited, at most."""


@dataclass(frozen=True, kw_only=True)
class QueueStats:
    """A queue, or all queues of a database, in numbers."""

    measured_at: datetime
    kinds: Sequence[KindStats] = ()
    failed_by_code: Sequence[CodeCount] = ()
    """Tasks that ever failed, by error code, most first."""
    attention: Sequence[Attention] = ()


@dataclass(frozen=True, kw_only=True)
class TrendMinute:
    """What ended in one minute."""

    minute: datetime
    enqueued: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    released: int = 0
    busy_seconds: float = 0.0
    """Slot-seconds of all attempts that ended in it."""
    codes: Mapping[str, int] = field(default_factory=dict)
    """Attempts that did not succeed, by error code."""


@dataclass(frozen=True, kw_only=True)
class TracedTask:
    """A task that succeeded, as a simulation replays it."""

    task_id: int
    kind: str
    arrived_at: datetime
    """When it was enqueued."""
    service_seconds: float
    """Of the attempt that succeeded."""


@dataclass(frozen=True, kw_only=True)
class EfficiencyReport:
    """What a queue's work has cost so far."""

    queue: str
    measured_at: datetime
    outcomes: Sequence[OutcomeCount] = ()
    """Since the queue began, by kind, outcome and code."""
    enqueued: int = 0
    first_minute: datetime | None = None
    """The minute in which the first attempt on record ended; None before that."""
    last_minute: datetime | None = None

    def count(self, outcome: str) -> int:
        """Attempts that ended with an outcome."""
        return sum(item.count for item in self.outcomes if item.outcome == outcome)

    @property
    def finished(self) -> int:
        """Tasks that ended for good."""
        return self.count("succeeded") + self.count("failed") + self.count("cancelled")

    @property
    def attempts(self) -> int:
        """Attempts that ended, without those that were given back."""
        return self.finished + self.count("retried")

    @property
    def attempts_per_task(self) -> float:
        """1.0 when every task ended at its first attempt; 0 before any has ended."""
        return self.attempts / self.finished if self.finished else 0.0

    @property
    def busy_seconds(self) -> float:
        """Slot-seconds of all attempts, given back ones included."""
        return sum(item.busy_seconds for item in self.outcomes)
