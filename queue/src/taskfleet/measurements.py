"""What one look at a queue brings: what waits, by age, what runs, who is there, and the counters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class AgeProfile:
    """Ready tasks of one kind and priority by age, as parallel columns: a look at 200 kinds has 15,000 places, too many for objects."""

    kind: str
    priority: int
    counts: Sequence[int]
    """Tasks in each bucket of age."""
    ages: Sequence[float]
    """Age of the start of each bucket, in seconds: no task in it is older. The buckets come in no order."""

    @property
    def count(self) -> int:
        """All its tasks."""
        return sum(self.counts)

    @property
    def oldest_seconds(self) -> float:
        """No task is older."""
        return max(self.ages, default=0.0)


@dataclass(frozen=True, kw_only=True)
class SessionSeen:
    """One live worker as the operator and the pages see it."""

    session_id: UUID
    worker: str
    pod_uid: str | None
    slots: int
    leases: int
    kinds: Sequence[str]
    started_at: datetime
    heartbeat_age_seconds: float
    draining: bool
    drained: bool


@dataclass(frozen=True, kw_only=True)
class KindRunning:
    """Running tasks of one kind."""

    kind: str
    count: int
    running_seconds: float
    """Sum of their time so far."""


@dataclass(frozen=True, kw_only=True)
class OutcomeCount:
    """Attempts that ended, as counters that only grow while the database lives."""

    kind: str
    outcome: str
    code: str
    """Empty for a success."""
    count: int
    busy_seconds: float


@dataclass(frozen=True, kw_only=True)
class QueueMeasurement:
    """All that one tick knows of one queue; one grouped query per database brings it for all its queues."""

    queue: str
    measured_at: datetime
    """The database's clock."""
    ready: Sequence[AgeProfile] = ()
    scheduled: int = 0
    scheduled_soon: int = 0
    """Due within a minute."""
    running: Sequence[KindRunning] = ()
    sessions: Sequence[SessionSeen] = ()
    enqueued_total: int = 0
    """Tasks that ever became ready for a first time, per queue: the arrivals of a tick are a difference of two."""
    outcomes: Sequence[OutcomeCount] = ()
    failed: int = 0
    """Dead letters now."""
    paused: bool = False
    """Paused by hand."""
