"""What was seen of one queue at one moment: the only input of a decision that changes from tick to tick.

Counters are totals that only grow (arrived and finished since the database began); the law keeps the last totals in its
memory and works with the differences, so a decision repeated on one observation counts nothing twice.
"""

from uuid import UUID

from msgspec import Struct

ARRIVED = "enqueued"
"""The outcome under which the ledger counts tasks that came into being."""


class ReadyTasks(Struct, frozen=True, kw_only=True, gc=False):
    """Ready tasks of one kind and about one age; priorities are added up."""

    kind: str
    count: int
    oldest_seconds: float
    """No task of this bucket is older."""


class RunningTasks(Struct, frozen=True, kw_only=True, gc=False):
    """Leased tasks of one kind, those of draining workers included."""

    kind: str
    count: int
    running_seconds: float
    """Sum of their time so far."""


class OutcomeTotal(Struct, frozen=True, kw_only=True, gc=False):
    """Attempts of one kind that ended in one way, as a counter that only grows."""

    kind: str
    outcome: str
    """A value of the queue's outcomes, or `enqueued` for tasks that came into being."""
    code: str = ""
    """The error code; empty for a success."""
    count: int
    busy_seconds: float = 0.0


class Worker(Struct, frozen=True, kw_only=True, gc=False):
    """One live worker: a pod or process whose session the database knows."""

    session_id: UUID
    slots: int
    leases: int
    pod: str | None = None
    """The pod's uid or the process's name: what the scale target knows it by."""
    draining: bool = False
    """Marked: it claims nothing. Reversible until it is chosen."""
    drained: bool = False
    """The worker itself said that its last claim has returned and its last lease is gone."""
    chosen: bool = False
    """Its deletion cost is set, but the replicas are not lowered yet: never taken back, still named as removable."""
    leaving: bool = False
    """Told to end (SIGTERM sent, pod terminating): `replicas` contains it no longer."""
    ready: bool = True
    """False for a pod that is NotReady; without leases it goes first, with leases nobody may go (a ReplicaSet would pick it)."""


class QueueObservation(Struct, frozen=True, kw_only=True, gc=False):
    """One queue: its waiting and running work, its workers, its counters, its replicas."""

    queue: str
    ready: tuple[ReadyTasks, ...] = ()
    """May be claimed now: neither future nor paused nor held nor expired. Any order."""
    running: tuple[RunningTasks, ...] = ()
    totals: tuple[OutcomeTotal, ...] = ()
    workers: tuple[Worker, ...] = ()
    replicas: int = 0
    """What the scale target is set to now (`.spec.replicas`; locally: processes not told to end)."""
    held: int = 0
    """All pods that exist, starting, draining, surge and terminating ones included; at least as many as `replicas` count as held."""
    starting: int = 0
    """Replicas that are wanted and have no live session yet: pending, starting or of unknown state."""
    startup_seconds: tuple[float, ...] = ()
    """Create → ready times seen since the last tick."""
    paused: bool = False
    """The queue is paused by hand: its tasks are no demand."""
    paused_kinds: frozenset[str] = frozenset()
    rollout: bool = False
    """Two ReplicaSets exist: no scale-down now, cost cannot steer it."""
    foreign_change: bool = False
    """Somebody else changed the replicas since the last tick."""
