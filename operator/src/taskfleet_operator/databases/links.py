"""The databases of all TaskQueues: one link per URL, opened when first needed, closed when no queue names it any more."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from taskfleet.maintenance import Maintenance
from taskfleet_operator.api.conditions import ConditionReason
from taskfleet_operator.api.task_queue import QueueKey, TaskQueue
from taskfleet_operator.databases.lane import Lane, StillBusyError
from taskfleet_operator.databases.link import DatabaseAccess, DatabaseLink, LinkSettings, QueueSight, QueueWrite
from taskfleet_operator.process.supervise import FailureCounter, Pulse, Vitals, supervise
from taskfleet_operator.trouble import Trouble, trouble_with_database

_log = logging.getLogger(__name__)
MAINTENANCE_LIMIT_SECONDS: Final = float("inf")
"""Maintenance beats no pulse of its own: each of its jobs may wait for another process that does it."""


class AccessSource(Protocol):
    """Where database URLs come from: Secrets of the cluster, files of one machine."""

    async def access_of(self, task_queue: TaskQueue) -> DatabaseAccess:
        """Give the way into the queue's database; raises SecretMissingError."""
        ...

    def distrust(self, task_queue: TaskQueue) -> None:
        """Read the way anew next time: the database could not be entered with it."""
        ...


@dataclass(kw_only=True)
class _Open:
    """A link with what runs on it."""

    link: DatabaseLink
    lane: Lane[Mapping[QueueKey, QueueSight]] = field(default_factory=Lane)
    writes: defaultdict[QueueKey, Lane[None]] = field(default_factory=lambda: defaultdict(Lane))
    """One lane a queue: writes of different queues do not wait for each other."""
    maintenance: asyncio.Task[None] | None = None


class DatabaseLinks:
    """Looks at all databases at once and writes to them; a slow or broken one never delays the queues of another."""

    def __init__(
        self,
        access: AccessSource,
        settings: LinkSettings,
        *,
        vitals: Vitals,
        failures: FailureCounter,
        maintenance: bool = True,
        may_lead: Callable[[], bool] = lambda: True,
    ) -> None:
        self._access, self._settings, self._may_lead = access, settings, may_lead
        self._vitals, self._failures, self._maintenance = vitals, failures, maintenance
        self._open: dict[str, _Open] = {}
        self._url_of: dict[QueueKey, str] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def look(self, task_queues: Sequence[TaskQueue], *, within: float) -> Mapping[QueueKey, QueueSight]:
        """See every queue, or say what is in the way; takes no longer than `within` seconds, and twice that when a Secret has changed."""
        sights = await self._look_once(task_queues, within=within)
        refused = [task_queue for task_queue in task_queues if _refused(sights.get(task_queue.key))]
        if refused and await self._entered_otherwise(refused):
            # The password was changed while we slept: not even this tick is lost.
            sights = {**sights, **await self._look_once(task_queues, within=within)}
        return sights

    async def _look_once(self, task_queues: Sequence[TaskQueue], *, within: float) -> Mapping[QueueKey, QueueSight]:
        sights: dict[QueueKey, QueueSight] = {}
        groups = await self._by_database(task_queues, sights)
        answers = await asyncio.gather(*(self._look_at(url, group, within=within) for url, group in groups.items()))
        for answer in answers:
            sights.update(answer)
        self._close_unused(groups)
        return sights

    async def _entered_otherwise(self, task_queues: Sequence[TaskQueue]) -> bool:
        """Read the way into these databases anew, and say whether any of it has changed."""
        changed = False
        for task_queue in task_queues:
            self._access.distrust(task_queue)
            with suppress(Exception):  # The next look tells what is wrong with it.
                changed |= (await self._access.access_of(task_queue)).url != self._url_of.get(task_queue.key)
        return changed

    async def write(self, key: QueueKey, wanted: QueueWrite, *, within: float) -> None:
        """Write for one queue; raises the store's errors, or StillBusyError when the database is slow (the next tick writes anew)."""
        opened = self._open[self._url_of[key]]
        await opened.writes[key].run(lambda: opened.link.write(wanted), within=within)

    async def close(self) -> None:
        """Stop maintenance and give back every lock and connection."""
        self._close_unused({})
        await asyncio.gather(*self._closing)

    async def _by_database(self, task_queues: Sequence[TaskQueue], sights: dict[QueueKey, QueueSight]) -> Mapping[str, Sequence[TaskQueue]]:
        """Group the queues by the database they name; those without one, or in conflict, get their trouble."""
        groups: dict[str, list[TaskQueue]] = {}
        owners: dict[tuple[str, str], QueueKey] = {}
        for task_queue in task_queues:
            try:
                access = await self._access.access_of(task_queue)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one Secret must not stop the others
                sights[task_queue.key] = QueueSight(trouble=trouble_with_database(error))
                continue
            owner = owners.setdefault((access.url, task_queue.queue), task_queue.key)
            if owner != task_queue.key:
                message = (
                    f"queue {task_queue.queue!r} of this database belongs to the older TaskQueue {owner}: name another queue, or delete one"
                )
                sights[task_queue.key] = QueueSight(trouble=Trouble(reason=ConditionReason.QUEUE_CONFLICT, message=message))
                continue
            self._url_of[task_queue.key] = access.url
            groups.setdefault(access.url, []).append(task_queue)
            if access.url not in self._open:
                self._open[access.url] = _Open(link=DatabaseLink(access, self._settings, may_lead=self._may_lead))
        return groups

    async def _look_at(self, url: str, group: Sequence[TaskQueue], *, within: float) -> Mapping[QueueKey, QueueSight]:
        opened = self._open[url]
        try:
            sights = await opened.lane.run(lambda: opened.link.look(group), within=within)
        except StillBusyError:
            trouble = Trouble(reason=ConditionReason.DATABASE_UNREACHABLE, message=f"the database did not answer within {within:g} s")
        except Exception as error:  # noqa: BLE001 - the edge of one database
            trouble = trouble_with_database(error)
        else:
            self._maintain(opened)
            # A queue that appeared while an older look was still under way is seen with the next one.
            return {task_queue.key: sights[task_queue.key] for task_queue in group if task_queue.key in sights}
        return {task_queue.key: QueueSight(trouble=trouble) for task_queue in group}

    def _maintain(self, opened: _Open) -> None:
        """Begin maintenance of a database that has answered for the first time."""
        if not self._maintenance or opened.maintenance is not None:
            return

        async def work(_pulse: Pulse) -> None:
            await Maintenance(opened.link.database).run(asyncio.Event())

        name = "maintenance"
        opened.maintenance = asyncio.create_task(
            supervise(name, work, vitals=self._vitals, limit_seconds=MAINTENANCE_LIMIT_SECONDS, failures=self._failures), name=name
        )

    def _close_unused(self, groups: Mapping[str, object]) -> None:
        """Close links apart from the tick: a database that does not answer takes its time to be left, too."""
        for url in [url for url in self._open if url not in groups]:
            task = asyncio.create_task(_close(self._open.pop(url)))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


async def _close(opened: _Open) -> None:
    try:
        await opened.lane.close()
        await asyncio.gather(*(lane.close() for lane in opened.writes.values()))
        if opened.maintenance is not None:
            opened.maintenance.cancel()
            await asyncio.wait({opened.maintenance})
        await opened.link.close()
    except Exception:  # noqa: BLE001 - the edge of one database
        _log.exception("database.not_closed")


def _refused(sight: QueueSight | None) -> bool:
    return sight is not None and sight.trouble is not None and sight.trouble.reason is ConditionReason.DATABASE_UNREACHABLE
