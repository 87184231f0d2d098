"""Upkeep by hand: ending what waited or ran for too long, forgetting what is over, running maintenance."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from taskfleet.maintenance import JOBS, preview, run_once
from taskfleet.maintenance.cleanup import Cleanup
from taskfleet.maintenance.cleanup import cleanup as run_cleanup
from taskfleet.maintenance.expiry import Expiry
from taskfleet.maintenance.expiry import expire as run_expiry
from taskfleet.maintenance.pruning import AuditPruning, Pruned
from taskfleet.maintenance.pruning import prune_audit as run_pruning
from taskfleet.maintenance.results import Cleaning, Progress, silent
from taskfleet.store import ReaderStore
from taskfleet_ops.errors import EmptyFilterError, JobNotFoundError
from taskfleet_ops.services.access import Address, opened
from taskfleet_ops.services.actor import command_actor
from taskfleet_ops.services.queues import require_queue


@dataclass(frozen=True, kw_only=True)
class JobCount:
    """How much one job of maintenance did, or would find to do."""

    job: str
    count: int


async def maintain(address: Address, jobs: Sequence[str], *, dry_run: bool) -> Sequence[JobCount]:
    """Run jobs of maintenance now, all when none is named, or look what they would find to do.

    Raises JobNotFoundError, and DatabaseUnreachableError; what was done until then stays.
    """
    known = [job.name for job in JOBS]
    for name in jobs:
        if name not in known:
            raise JobNotFoundError(job=name, known=known, close=get_close_matches(name, known, n=1))
    async with opened(address) as database:
        counts = await (preview(database) if dry_run else run_once(database, jobs or None))
    return tuple(JobCount(job=job, count=counts[job]) for job in known if job in counts and (not jobs or job in jobs))


async def prune_audit(address: Address, wanted: AuditPruning, *, progress: Progress = silent) -> Pruned:
    """Forget audit entries that are older and match, or count them; what was done is audited itself. Raises JobBusyError."""
    async with opened(address) as database:
        return await run_pruning(database, wanted, actor=command_actor(), progress=progress)


async def expire(address: Address, wanted: Expiry, *, everything: bool = False, progress: Progress = silent) -> Cleaning:
    """End waiting tasks past their limit as TASK_EXPIRED, or count them in a dry run.

    Raises EmptyFilterError when no queue, kind or group is named and `everything` is not said, QueueNotFoundError, and JobBusyError;
    what was done until then stays, and is audited.
    """
    if not everything and wanted.queue is wanted.kind is wanted.group is None:
        raise EmptyFilterError(action="expire")
    async with opened(address) as database:
        if wanted.queue is not None:
            await require_queue(ReaderStore(database), wanted.queue)
        return await run_expiry(database, wanted, actor=command_actor(), progress=progress)


async def cleanup(address: Address, wanted: Cleanup, *, everything: bool = False, progress: Progress = silent) -> Cleaning:
    """End what ran or waited for too long and forget what is over, or count it in a dry run.

    Raises EmptyFilterError when a state is forced on all queues and `everything` is not said, QueueNotFoundError, and JobBusyError; what
    was done until then stays, and is audited.
    """
    if wanted.force is not None and wanted.queue is None and not everything:
        raise EmptyFilterError(action="cleanup --force-status")
    async with opened(address) as database:
        if wanted.queue is not None:
            await require_queue(ReaderStore(database), wanted.queue)
        return await run_cleanup(database, wanted, actor=command_actor(), progress=progress)
