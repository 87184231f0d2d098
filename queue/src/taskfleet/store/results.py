"""Word of finished tasks whose result somebody waits for: a hint, like wake-ups. Whoever waits looks by itself now and then."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from taskfleet.backoff import jittered
from taskfleet.channels import NOTIFY, RESULTS, result_messages
from taskfleet.errors import TaskfleetError

if TYPE_CHECKING:
    from taskfleet.store.connection import Database

_log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.02
"""Shortest time between two messages of one process: what finishes meanwhile is told together."""
_LONGEST_PAUSE_SECONDS = 5.0


class Announcer:
    """Tells whoever waits which tasks have finished: the first at once, those that follow together; in the background, after the commit."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._waiting: list[int] = []
        self._task: asyncio.Task[None] | None = None

    def announce(self, task_ids: Iterable[int]) -> None:
        """Tell of these tasks soon; failures are logged, nobody depends on it."""
        self._waiting += task_ids
        if self._waiting and self._task is None:
            self._task = asyncio.create_task(self._send_all(), name="announce results")

    async def close(self) -> None:
        """See through what is being told."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, []
                await self._send(taken)
                await asyncio.sleep(DEBOUNCE_SECONDS)
        finally:
            self._task = None

    async def _send(self, task_ids: list[int]) -> None:
        async def notify(connection: AsyncConnection[Any]) -> None:
            await connection.execute(NOTIFY, [RESULTS, result_messages(task_ids)])

        try:
            await self._database.run(notify)
        except (TaskfleetError, psycopg.Error) as error:
            _log.info("results.not_told", extra={"tasks": len(task_ids), "error": str(error)})


class ResultNews:
    """Hears which tasks have finished, on one connection for all that wait in an event loop, and only while somebody does."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._expected: dict[int, list[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    @asynccontextmanager
    async def expecting(self, task_id: int) -> AsyncIterator[asyncio.Event]:
        """An event that is set at each word of the task, and once when words begin to be heard."""
        event = asyncio.Event()
        self._expected.setdefault(task_id, []).append(event)
        if self._listening.is_set():
            event.set()
        if self._task is None and self._database.listens:
            self._task = asyncio.create_task(self._listen_for_ever(), name="listen for results")
        try:
            yield event
        finally:
            self._expected[task_id].remove(event)
            if not self._expected[task_id]:
                del self._expected[task_id]
            if not self._expected:
                await self.close()

    async def close(self) -> None:
        """Hear no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen_for_ever(self) -> None:
        random, pause = Random(), 0.1
        while True:
            try:
                async with await self._database.connect() as connection:
                    await connection.execute(SQL("LISTEN {}").format(Identifier(RESULTS)))
                    self._listening.set()
                    self._tell_all()
                    async for notice in connection.notifies():
                        self._tell(notice.payload)
            except (psycopg.Error, OSError, TaskfleetError) as error:
                _log.info("results.not_heard", extra={"error": str(error), "next_seconds": pause})
            finally:
                self._listening.clear()
            await asyncio.sleep(jittered(pause, random=random))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _tell(self, payload: str) -> None:
        for text in payload.split(","):
            for event in self._expected.get(int(text), ()) if text.isdecimal() else ():
                event.set()

    def _tell_all(self) -> None:
        # What was told while nobody listened is unknown: everybody looks once.
        for events in self._expected.values():
            for event in events:
                event.set()
