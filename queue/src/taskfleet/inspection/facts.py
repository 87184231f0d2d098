"""What an inspection sees: one value a row of the queries `inspect_*.sql`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, kw_only=True)
class LedgerFault:
    """A sum of a ledger that is not what a count gives."""

    queue: str
    kind: str
    what: str
    """`waiting` with a priority, `succeeded`, `failed` or `cancelled`."""
    ledger: int
    truth: int


@dataclass(frozen=True, kw_only=True)
class HorizonHolder:
    """What keeps vacuum from removing dead rows."""

    what: str
    """`connection`, `prepared transaction` or `replication slot`."""
    name: str
    owner: str
    state: str
    seconds: float | None
    """For how long; None where the server does not say."""
    transactions: int
    """How many transactions ago its view of the world began."""


@dataclass(frozen=True, kw_only=True)
class RelationFacts:
    """How a relation is doing, by the server's own statistics."""

    relation: str
    live_rows: int
    dead_rows: int
    changed_rows: int
    """Since its statistics were made."""
    analyzed: bool


@dataclass(frozen=True, kw_only=True)
class PartitionFacts:
    """Days of one partitioned relation, from today on."""

    relation: str
    missing: Sequence[date]
    """Days without a partition among the next ones."""
    detaching: Sequence[str]
    """Partitions whose DETACH was cut off."""


@dataclass(frozen=True, kw_only=True)
class SessionFacts:
    """A worker that was not heard of for longer than it should be."""

    queue: str
    worker: str
    silent_seconds: float
    lease_seconds: float
    leases: int
    expired: bool


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """When a job of maintenance ran last."""

    job: str
    seconds_ago: float | None
    """None: never."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All of it."""

    ledger_faults: Sequence[LedgerFault] | None
    """None: the comparison took longer than it may."""
    ledger_seconds: float
    """How long it may take."""
    drift: Sequence[str] = ()
    """What the schema holds otherwise than the migrations made it, a sentence each."""
    holders: Sequence[HorizonHolder] = ()
    relations: Sequence[RelationFacts] = ()
    partitions: Sequence[PartitionFacts] = ()
    sessions: Sequence[SessionFacts] = ()
    jobs: Sequence[JobFacts] = ()
