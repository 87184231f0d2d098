"""The audit trail: written in the transaction that does what it tells of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from taskfleet.store.connection import Database


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """One thing that somebody did."""

    actor: str
    """A person, or `maintenance`."""
    action: str
    """What was done: `expire`, `prune`, `cleanup.dead_letters` and the like."""
    outcome: str
    """`done` for what was changed, `summary` for the end of a batch, or why an item was left alone."""
    batch: UUID | None = None
    """What belongs together: everything one command did."""
    queue: str | None = None
    kind: str | None = None
    group: str | None = None
    trace_id: str | None = None
    task_id: int | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
    """What JSON can carry: counts, limits, the filter."""


async def append_audit(database: Database, connection: AsyncConnection[Any], entry: AuditEntry) -> None:
    """Write an entry on this connection: it stays if its transaction does."""
    parameters = {
        "actor": entry.actor,
        "action": entry.action,
        "batch": entry.batch,
        "queue": entry.queue,
        "kind": entry.kind,
        "group": entry.group,
        "trace_id": entry.trace_id,
        "task_id": entry.task_id,
        "outcome": entry.outcome,
        "detail": Jsonb(dict(entry.detail)),
    }
    await connection.execute(database.query("append_audit"), parameters)
