"""Pruning the audit log by hand, batch by batch; what was pruned is audited itself."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from taskfleet.maintenance.results import Progress, silent
from taskfleet.store.audit import AuditEntry
from taskfleet.store.connection import Database
from taskfleet.store.sweep_store import Place, SweepStore


@dataclass(frozen=True, kw_only=True)
class AuditPruning:
    """Which audit entries are to go; None: any."""

    older_than_seconds: float
    actor: str | None = None
    action: str | None = None
    queue: str | None = None
    kind: str | None = None
    group: str | None = None
    batch: int = 500
    """Most entries a transaction looks at."""
    dry_run: bool = False
    """Count only: nothing is changed, locked or audited."""


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What went, or would."""

    dry_run: bool
    batch: UUID
    """What its own audit entries have in common; a dry run writes none."""
    count: int
    older_than_seconds: float


async def prune_audit(database: Database, wanted: AuditPruning, *, actor: str, progress: Progress = silent) -> Pruned:
    """Forget audit entries that are older and match, or count them.

    Raises JobBusyError and DatabaseUnreachableError; what was done until then stays, and is audited.
    """
    store, batch, count = SweepStore(database), uuid4(), 0
    given = {"actor": wanted.actor, "action": wanted.action, "queue": wanted.queue, "kind": wanted.kind, "group": wanted.group}
    filters = {"older_than_seconds": wanted.older_than_seconds, **given}
    detail = {name: value for name, value in filters.items() if value is not None}
    done = AuditEntry(actor=actor, action="prune_audit", outcome="done", batch=batch, detail=detail)
    place: Place | None = Place()
    while place is not None:
        sweep = await store.prune_audit(filters, place, limit=wanted.batch, audit=None if wanted.dry_run else done)
        place = sweep.after
        count += sweep.matched
        progress(sweep.matched)
    if count and not wanted.dry_run:
        summary = AuditEntry(actor=actor, action="prune_audit", outcome="summary", batch=batch, detail={**detail, "count": count})
        await store.write_audit(summary)
    return Pruned(dry_run=wanted.dry_run, batch=batch, count=count, older_than_seconds=wanted.older_than_seconds)
