"""What people ask about dead letters: filters, pages, statistics. Frozen values, standard library only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from taskfleet.models import Task
from taskfleet.words import DeadReason

AGE_BOUNDS_SECONDS = (60, 900, 3_600, 21_600, 86_400, 172_800)
"""Upper bounds of the classes of dead_letter_stats.sql; the last class has none."""


@dataclass(frozen=True, kw_only=True)
class DeadLetterFilter:
    """Which dead letters of a queue; what is None matches all."""

    kind: str | None = None
    group: str | None = None
    trace_id: str | None = None
    reason: DeadReason | None = None
    code: str | None = None
    task_ids: Sequence[int] | None = None


@dataclass(frozen=True, kw_only=True)
class DeadLetterKey:
    """A place in the order of dead letters, newest first: the next page begins behind it."""

    failed_at: datetime
    task_id: int


@dataclass(frozen=True, kw_only=True)
class DeadLetterPage:
    """Some dead letters, newest first, without their attempts."""

    tasks: Sequence[Task]
    next: DeadLetterKey | None
    """Where the next page begins; None: this was the last."""


@dataclass(frozen=True, kw_only=True)
class AgeClass:
    """Dead letters whose task failed so long after it was due."""

    below_seconds: int | None
    """None: the oldest, without a bound."""
    count: int


@dataclass(frozen=True, kw_only=True)
class DeadLetterStats:
    """Dead letters of a queue in numbers; mappings have the most frequent first."""

    total: int = 0
    by_kind: Mapping[str, int] = field(default_factory=dict)
    by_group: Mapping[str, int] = field(default_factory=dict)
    """The largest groups only."""
    by_code: Mapping[str, int] = field(default_factory=dict)
    by_reason: Mapping[str, int] = field(default_factory=dict)
    by_fingerprint: Mapping[str, int] = field(default_factory=dict)
    """Among the newest ones: code and message without quoted texts, ids and numbers."""
    by_age: Sequence[AgeClass] = ()
    """How long tasks had been due when they failed, youngest first; every class."""


@dataclass(frozen=True, kw_only=True)
class Cleared:
    """What a clear has removed."""

    waiting: int
    """Tasks that were scheduled or ready."""
    paused: int


@dataclass(frozen=True, kw_only=True)
class GroupCounts:
    """Tasks of a group by state; those that succeeded are not kept by group."""

    scheduled: int
    ready: int
    running: int
    paused: int
    failed: int
    cancelled: int
