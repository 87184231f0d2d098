"""Retention of successes: whole days are dropped as partitions; queues that keep less than the longest are trimmed inside them."""

from collections.abc import AsyncIterator, Sequence
from itertools import groupby
from operator import attrgetter

from taskfleet.store.audit import AuditEntry
from taskfleet.store.maintenance_store import Batch, MaintenanceStore
from taskfleet.store.sweep_store import KindLimits, Overrides, SweepStore


async def trim_days(
    store: SweepStore, kinds: Sequence[KindLimits], *, limit: int, audit: AuditEntry | None, again: bool = False
) -> AsyncIterator[int]:
    """Forget what the kinds of one queue have done on days wholly past its retention; gives the number of each batch.

    Without an audit entry only count. A day that was gone through is remembered: `again` looks at it all the same.
    """
    kind_ids = [kind.kind_id for kind in kinds]
    for day in await store.old_days(kinds[0], again=again):
        after_id, through = None, False
        while not through:
            sweep = await store.trim_day(day, kind_ids, after_id=after_id, limit=limit, audit=audit)
            after_id, through = sweep.after_id, sweep.after_id is None
            yield sweep.matched
        if audit is not None:
            await store.mark_trimmed(kinds[0].queue_id, day)


async def trim_succeeded(store: MaintenanceStore, *, due_seconds: float, limit: int) -> Batch:
    """The job: trim queues that keep successes for less than the longest; the others' days go as partitions."""
    if not await store.begin("trim_succeeded", due_seconds=due_seconds):
        return Batch(ran=False)
    kinds = await store.sweeps.limits(queue=None, kind=None, overrides=Overrides())
    longest = max((kind.succeeded_seconds for kind in kinds), default=0.0)
    handled = 0
    for queue, group in groupby((kind for kind in kinds if kind.succeeded_seconds < longest), key=attrgetter("queue")):
        same = tuple(group)
        audit = AuditEntry(
            actor="maintenance",
            action="trim_succeeded",
            outcome="done",
            queue=queue,
            detail={"older_than_seconds": same[0].succeeded_seconds},
        )
        async for count in trim_days(store.sweeps, same, limit=limit, audit=audit):
            handled += count
    return Batch(ran=True, handled=handled)
