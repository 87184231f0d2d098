"""The nightly cleaning: a dry run that tells what would go, and an hour later the real one.

It looks after what nothing looks after all the time: waiting and running tasks of queues without a policy, and retention.
"""

import logging

from taskfleet.store.maintenance_store import Batch, MaintenanceStore

_log = logging.getLogger(__name__)


async def nightly(store: MaintenanceStore, job: str, *, hour: float, limit: int, dry_run: bool) -> Batch:
    """Run once a night, by whoever comes first after `hour` (UTC, by the database's clock). Limits are read anew each time."""
    if not await store.begin_nightly(job, hour=hour):
        return Batch(ran=False)
    # What cleans is a third of what maintenance loads, and one process of the fleet needs it once a night.
    from taskfleet.maintenance.cleanup import Cleanup, cleanup

    wanted = Cleanup(nightly=True, batch=limit, dry_run=dry_run)
    cleaning = await cleanup(store.database, wanted, actor="maintenance")
    counts = {f"{item.queue}/{item.kind}/{item.step}": item.count for item in cleaning.done}
    _log.info("cleanup.would_do" if dry_run else "cleanup.done", extra={"total": cleaning.total, "counts": counts})
    return Batch(ran=True, handled=0 if dry_run else cleaning.total)
