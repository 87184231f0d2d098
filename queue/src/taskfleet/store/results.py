"""Word of finished tasks whose result somebody waits for: a hint, like wake-ups. Whoever waits looks by itself now and then."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from taskfleet.channels import RESULTS, result_messages
from taskfleet.store.notifications import Ear, Server, send

DEBOUNCE_SECONDS = 0.02
"""Shortest time between two messages of one process: what finishes meanwhile is told together."""


class Announcer:
    """Tells whoever waits which tasks have finished: the first at once, those that follow together; in the background, after the commit."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._waiting: list[int] = []
        self._task: asyncio.Task[None] | None = None

    def announce(self, task_ids: Iterable[int]) -> None:
        """Tell of these tasks soon."""
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
                await send(self._server, RESULTS, result_messages(taken))
                await asyncio.sleep(DEBOUNCE_SECONDS)
        finally:
            self._task = None


class ResultNews:
    """Hears which tasks have finished, on one connection for all that wait in an event loop, and only while somebody does."""

    def __init__(self, server: Server) -> None:
        self._expected: dict[int, list[asyncio.Event]] = {}
        self._ear = Ear(server, RESULTS, began=self._tell_all, heard=self._tell)

    @asynccontextmanager
    async def expecting(self, task_id: int) -> AsyncIterator[asyncio.Event]:
        """An event that is set at each word of the task, and once when words begin to be heard."""
        event = asyncio.Event()
        self._expected.setdefault(task_id, []).append(event)
        if self._ear.hears:
            event.set()
        self._ear.open()
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
        await self._ear.close()

    def _tell(self, payload: str) -> None:
        for text in payload.split(","):
            for event in self._expected.get(int(text), ()) if text.isdecimal() else ():
                event.set()

    def _tell_all(self) -> None:
        # What was told while nobody listened is unknown: everybody looks once.
        for events in self._expected.values():
            for event in events:
                event.set()
