"""Cleaning: what ran or waited for too long ends, what is over is forgotten, kind by kind and batch by batch.

The same code serves `taskfleet cleanup` and the nightly job. A run may be cut off anywhere: each batch is one transaction with its audit
entry; running it again goes on.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from uuid import UUID, uuid4

from taskfleet.maintenance.expiry import Expiry, expire_kind
from taskfleet.maintenance.results import Cleaned, Cleaning, Left, Progress, silent
from taskfleet.maintenance.retention import trim_days
from taskfleet.store.audit import AuditEntry
from taskfleet.store.connection import Database
from taskfleet.store.sweep_store import Ending, KindLimits, Overrides, SweepStore
from taskfleet.words import DeadReason, ErrorCode, TaskState

STEPS = ("running", "waiting", "failed", "succeeded")
"""In the order they are done: what ends in the first two is kept for its retention."""


@dataclass(frozen=True, kw_only=True)
class Cleanup:
    """What to clean."""

    queue: str | None = None
    """None: every queue."""
    limits: Overrides = field(default_factory=Overrides)
    force: TaskState | None = None
    """FAILED or CANCELLED: end every task that has waited or run for longer than `limits` say so, and do nothing else."""
    nightly: bool = False
    """Leave running and waiting tasks of queues with a policy alone: for these maintenance looks all the time."""
    batch: int = 500
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class _Run:
    store: SweepStore
    wanted: Cleanup
    actor: str
    batch: UUID

    def audit(self, kind: KindLimits, action: str, *, seconds: float, every_kind: bool = False) -> AuditEntry:
        return AuditEntry(
            actor=self.actor,
            action=action,
            outcome="done",
            batch=self.batch,
            queue=kind.queue,
            kind=None if every_kind else kind.kind,
            detail={"older_than_seconds": seconds},
        )


async def cleanup(database: Database, wanted: Cleanup, *, actor: str, progress: Progress = silent) -> Cleaning:
    """Clean, or count what a cleaning would change. Raises JobBusyError and DatabaseUnreachableError; what was done until then stays."""
    run = _Run(store=SweepStore(database), wanted=wanted, actor=actor, batch=uuid4())
    kinds = await run.store.limits(queue=wanted.queue, kind=None, overrides=wanted.limits)
    done: list[Cleaned] = []
    left: list[Left] = []
    for kind in kinds:
        for step in _steps(kind, wanted):
            if step == "waiting" and kind.stopped and wanted.limits.waiting_seconds is None:
                left.append(Left(queue=kind.queue, kind=kind.kind, why="held, paused or just resumed: its time stands still"))
                continue
            done.append(await _counted(step, kind, _work(step, kind, run), progress))
    for _, group in groupby(kinds if wanted.force is None else (), key=attrgetter("queue")):
        done.append(await _succeeded(tuple(group), run, progress))
    cleaning = Cleaning(dry_run=wanted.dry_run, batch=run.batch, done=tuple(item for item in done if item.count), left=tuple(left))
    if cleaning.total and not wanted.dry_run:
        await run.store.write_audit(_summary(wanted, cleaning, actor=actor))
    return cleaning


def _steps(kind: KindLimits, wanted: Cleanup) -> Sequence[str]:
    if wanted.force is not None:
        return ("running", "waiting")
    return ("failed",) if wanted.nightly and kind.has_policy else ("running", "waiting", "failed")


def _work(step: str, kind: KindLimits, run: _Run) -> AsyncIterator[int]:
    match step:
        case "running":
            return _running(kind, run)
        case "waiting":
            return _waiting(kind, run)
        case _:
            return _dead_letters(kind, run)


async def _counted(step: str, kind: KindLimits, work: AsyncIterator[int], progress: Progress) -> Cleaned:
    count = 0
    async for handled in work:
        count += handled
        progress(handled)
    seconds = {"running": kind.running_seconds, "waiting": kind.waiting_seconds, "failed": kind.failed_seconds}[step]
    return Cleaned(step=step, queue=kind.queue, kind=kind.kind, count=count, limit_seconds=seconds)


async def _running(kind: KindLimits, run: _Run) -> AsyncIterator[int]:
    if run.wanted.dry_run:
        yield await run.store.count_running(kind)
        return
    ending = _ending(run.wanted.force, ErrorCode.TIMED_OUT, f"it ran longer than the {kind.running_seconds:g} s that are allowed")
    audit = run.audit(kind, "cleanup.running", seconds=kind.running_seconds)
    ended = run.wanted.batch
    while ended == run.wanted.batch:
        ended = await run.store.end_running(kind, limit=run.wanted.batch, ending=ending, audit=audit)
        yield ended


def _waiting(kind: KindLimits, run: _Run) -> AsyncIterator[int]:
    ending = _ending(run.wanted.force, ErrorCode.EXPIRED, f"longer than {kind.waiting_seconds:g} s")
    wanted = Expiry(batch=run.wanted.batch, dry_run=run.wanted.dry_run)
    return expire_kind(run.store, kind, wanted, actor=run.actor, batch=run.batch, ending=ending)


async def _dead_letters(kind: KindLimits, run: _Run) -> AsyncIterator[int]:
    if run.wanted.dry_run:
        yield await run.store.count_dead_letters(kind)
        return
    audit = run.audit(kind, "cleanup.failed", seconds=kind.failed_seconds)
    trimmed = run.wanted.batch
    while trimmed == run.wanted.batch:
        trimmed = await run.store.trim_dead_letters(kind, limit=run.wanted.batch, audit=audit)
        yield trimmed


async def _succeeded(kinds: Sequence[KindLimits], run: _Run, progress: Progress) -> Cleaned:
    first = kinds[0]
    audit = None
    if not run.wanted.dry_run:
        audit = run.audit(first, "cleanup.succeeded", seconds=first.succeeded_seconds, every_kind=True)
    count = 0
    again = run.wanted.limits.succeeded_seconds is not None
    async for handled in trim_days(run.store, kinds, limit=run.wanted.batch, audit=audit, again=again):
        count += handled
        progress(handled)
    return Cleaned(step="succeeded", queue=first.queue, kind="*", count=count, limit_seconds=first.succeeded_seconds)


def _ending(force: TaskState | None, code: ErrorCode, message: str) -> Ending:
    if force is TaskState.CANCELLED:
        return Ending(state=force, reason=DeadReason.CANCELLED, code=ErrorCode.CANCELLED, message="cancelled by a cleanup")
    reason = DeadReason.EXPIRED if code is ErrorCode.EXPIRED else DeadReason.NON_RETRYABLE
    return Ending(state=TaskState.FAILED, reason=reason, code=code, message=message)


def _summary(wanted: Cleanup, cleaning: Cleaning, *, actor: str) -> AuditEntry:
    counts = {step: sum(item.count for item in cleaning.done if item.step == step) for step in STEPS}
    return AuditEntry(
        actor=actor,
        action="cleanup",
        outcome="summary",
        batch=cleaning.batch,
        queue=wanted.queue,
        detail={"count": cleaning.total, **counts, "force": wanted.force, "nightly": wanted.nightly},
    )
