"""What the operator writes for a queue: the limits that the database enforces, and the decisions that it remembers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class KindPolicy:
    """What one kind may do, everywhere in the fleet. None means no limit, or the queue's own default."""

    kind: str
    max_concurrent: int | None = None
    rate_starts: int | None = None
    rate_period_seconds: float | None = None
    expected_seconds: float | None = None
    timeout_seconds: float | None = None
    max_attempts: int | None = None
    min_backoff_seconds: float | None = None
    max_backoff_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class QueuePolicy:
    """What a queue may do; written by the operator (or by hand without one), enforced by the database."""

    queue: str
    kinds: Sequence[KindPolicy] = ()
    """Kinds that are not named keep no limits of their own."""
    max_concurrent: int | None = None
    wait_goal_seconds: float | None = None
    fresh_seconds: float = 900.0
    stale_share: float = 0.2
    """Share of claims that goes to tasks older than fresh_seconds, 0..1."""
    stale_wait_seconds: float | None = None
    """Longest wait that the stale lane is sized for; like the wait goal, expiry never goes below it."""
    waiting_expiry_seconds: float = 172_800.0
    running_timeout_seconds: float = 86_400.0
    failed_retention_seconds: float = 604_800.0
    """How long failed and cancelled tasks are kept."""
    succeeded_retention_seconds: float = 2_592_000.0
    """How long successes are kept, to the day."""
    max_length: int | None = 1_000_000
    warn_length: int | None = 100_000
    max_payload_bytes: int = 262_144
    max_result_bytes: int = 262_144
    """Largest result, as JSON, that is kept; of a larger one only its size is."""
    held: bool = False
    """True: the operator lets nothing be claimed (stopPolicy); a manual pause is another flag, either holds."""


@dataclass(frozen=True, kw_only=True)
class DecisionRecord:
    """One decision of the operator, kept for people who ask why."""

    queue: str
    decided_at: datetime | None = None
    """None when written: the database's clock."""
    replicas: int
    wanted: int
    desired: int
    reason: str
    message: str
    ready: int
    running: int
    oldest_seconds: float
    ceiling: int | None
    steps: Sequence[Mapping[str, object]] = field(default_factory=tuple)
