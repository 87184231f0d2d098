"""Cleaning by hand: ending what waited or ran for too long, forgetting what is over."""

from taskfleet.maintenance.cleanup import Cleanup
from taskfleet.maintenance.cleanup import cleanup as run_cleanup
from taskfleet.maintenance.expiry import Expiry
from taskfleet.maintenance.expiry import expire as run_expiry
from taskfleet.maintenance.results import Cleaning, Progress, silent
from taskfleet.store import ReaderStore
from taskfleet_ops.errors import EmptyFilterError
from taskfleet_ops.services.access import Address, opened
from taskfleet_ops.services.actor import command_actor
from taskfleet_ops.services.queues import require_queue


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
