"""Writes Events and status to the cluster, apart from the loop: a slow API server delays no decision."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from taskfleet_operator.api.task_queue import QueueKey
from taskfleet_operator.errors import ClusterError, ObjectMissingError
from taskfleet_operator.loop.known import KnownQueue
from taskfleet_operator.objects import EventNote, EventType, ObjectKey
from taskfleet_operator.process.supervise import Pulse
from taskfleet_operator.reporting.events import EventSaid

MOST_EVENTS: Final = 1_000
"""Events that may wait; beyond it the oldest are dropped."""
AGAIN_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 5.0
AT_ONCE: Final = 8
_log = logging.getLogger(__name__)


class Writer(Protocol):
    """What is told to the cluster."""

    async def record_event(self, event: EventNote) -> None:
        """Write an Event."""
        ...

    async def apply_status(self, key: ObjectKey, status: Mapping[str, object]) -> None:
        """Write the whole status of a TaskQueue."""
        ...


class ClusterAnnouncer:
    """Keeps what is to be told until it is written: every event once, and of each status the newest."""

    def __init__(self, cluster: Writer, *, leading: Callable[[], bool]) -> None:
        self._cluster, self._leading = cluster, leading
        self._events: deque[EventNote] = deque(maxlen=MOST_EVENTS)
        self._statuses: dict[QueueKey, dict[str, object]] = {}
        self._news = asyncio.Event()

    def event(self, known: KnownQueue, event: EventSaid) -> None:
        """Take in an event."""
        self._events.append(
            EventNote(
                key=ObjectKey(namespace=known.key.namespace, name=known.key.name),
                uid=known.uid,
                type=EventType.WARNING if event.warning else EventType.NORMAL,
                reason=event.reason.value,
                action=event.action,
                note=event.note,
            )
        )
        self._news.set()

    def status(self, known: KnownQueue, status: dict[str, object]) -> None:
        """Take in the whole status; only the newest counts."""
        self._statuses[known.key] = status
        self._news.set()

    async def run(self, pulse: Pulse) -> None:
        """Write what is new, for ever. What could not be written is tried again."""
        while True:
            try:
                await asyncio.wait_for(self._news.wait(), IDLE_SECONDS)
            except TimeoutError:
                pulse.beat()
                continue
            self._news.clear()
            if not self._leading() or not await self._write_all():
                await asyncio.sleep(AGAIN_SECONDS)
                self._news.set()
            pulse.beat()

    async def _write_all(self) -> bool:
        statuses, self._statuses = self._statuses, {}
        events = [self._events.popleft() for _ in range(len(self._events))]
        gate = asyncio.Semaphore(AT_ONCE)

        async def guarded(key: QueueKey, status: dict[str, object]) -> bool:
            async with gate:
                return await self._write_status(key, status)

        written = await asyncio.gather(*(guarded(key, status) for key, status in statuses.items()))
        told = await self._write_events(events)
        return told and all(written)

    async def _write_status(self, key: QueueKey, status: dict[str, object]) -> bool:
        try:
            await self._cluster.apply_status(ObjectKey(namespace=key.namespace, name=key.name), status)
        except ObjectMissingError:
            return True  # Deleted meanwhile: nobody is left to tell.
        except ClusterError as error:
            _log.warning("status.not_written", extra={"task_queue": str(key), "error": str(error)})
            self._statuses.setdefault(key, status)
            return False
        return True

    async def _write_events(self, events: list[EventNote]) -> bool:
        for number, event in enumerate(events):
            try:
                await self._cluster.record_event(event)
            except ObjectMissingError:
                continue  # Its namespace is gone.
            except ClusterError as error:
                _log.warning("event.not_written", extra={"task_queue": str(event.key), "reason": event.reason, "error": str(error)})
                self._events.extendleft(reversed(events[number:]))
                return False
        return True
