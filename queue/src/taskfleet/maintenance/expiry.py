"""Bulk expiry: tasks that waited for too long end as TASK_EXPIRED, batch by batch.

A run may be cut off anywhere: what was done is done and audited in the same transaction; running it again goes on.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID, uuid4

from taskfleet.maintenance.results import Cleaned, Cleaning, Left, Progress, silent
from taskfleet.store.audit import AuditEntry
from taskfleet.store.connection import Database
from taskfleet.store.sweep_store import Ending, KindLimits, Overrides, Place, SweepStore
from taskfleet.words import DeadReason, ErrorCode, TaskState


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """Which waiting tasks are to end."""

    queue: str | None = None
    """None: every queue."""
    kind: str | None = None
    group: str | None = None
    older_than_seconds: float | None = None
    """Since when they are due; None: what each queue's policy says, two hours without one. Never below a queue's wait goal or stale wait.

    Given, it also ends tasks of queues and kinds that are held or paused, for which time stands still otherwise.
    """
    batch: int = 1_000
    """Most tasks a transaction looks at."""
    dry_run: bool = False
    """Count only: nothing is changed, locked or audited."""


async def expire(database: Database, wanted: Expiry, *, actor: str, progress: Progress = silent) -> Cleaning:
    """End waiting tasks past their limit, or count them.

    Raises JobBusyError and DatabaseUnreachableError; what was done until then stays.
    """
    store, batch = SweepStore(database), uuid4()
    overrides = Overrides(waiting_seconds=wanted.older_than_seconds)
    done: list[Cleaned] = []
    left: list[Left] = []
    for kind in await store.limits(queue=wanted.queue, kind=wanted.kind, overrides=overrides):
        if kind.stopped and wanted.older_than_seconds is None:
            left.append(Left(queue=kind.queue, kind=kind.kind, why="held, paused or just resumed: its time stands still"))
            continue
        count = 0
        async for handled in expire_kind(store, kind, wanted, actor=actor, batch=batch):
            count += handled
            progress(handled)
        if count:
            done.append(Cleaned(step="waiting", queue=kind.queue, kind=kind.kind, count=count, limit_seconds=kind.waiting_seconds))
    cleaning = Cleaning(dry_run=wanted.dry_run, batch=batch, done=tuple(done), left=tuple(left))
    if cleaning.total and not wanted.dry_run:
        await store.write_audit(_summary(wanted, cleaning, actor=actor))
    return cleaning


async def expire_kind(
    store: SweepStore, kind: KindLimits, wanted: Expiry, *, actor: str, batch: UUID, ending: Ending | None = None
) -> AsyncIterator[int]:
    """End waiting tasks of one kind past their limit; gives the number of each batch as it is done."""
    if ending is None:
        message = "longer than its queue allows" if wanted.older_than_seconds is None else f"longer than {kind.waiting_seconds:g} s"
        ending = Ending(state=TaskState.FAILED, reason=DeadReason.EXPIRED, code=ErrorCode.EXPIRED, message=message)
    audit = AuditEntry(
        actor=actor,
        action="expire",
        outcome=ending.state,
        batch=batch,
        queue=kind.queue,
        kind=kind.kind,
        group=wanted.group,
        detail={"older_than_seconds": kind.waiting_seconds, "code": ending.code},
    )
    place: Place | None = Place()
    while place is not None:
        act = None if wanted.dry_run else (ending, audit)
        sweep = await store.sweep_waiting(kind, place, group=wanted.group, limit=wanted.batch, act=act)
        place = sweep.after
        yield sweep.matched


def _summary(wanted: Expiry, cleaning: Cleaning, *, actor: str) -> AuditEntry:
    return AuditEntry(
        actor=actor,
        action="expire",
        outcome="summary",
        batch=cleaning.batch,
        queue=wanted.queue,
        kind=wanted.kind,
        group=wanted.group,
        detail={
            "count": cleaning.total,
            "older_than_seconds": wanted.older_than_seconds,
            "kinds": {f"{item.queue}/{item.kind}": item.count for item in cleaning.done},
        },
    )
