"""Waking sleeping workers: a hint, never the truth. Polling alone suffices; a wake-up only makes it soon."""

import asyncio
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from taskfleet.channels import wakeup_channel
from taskfleet.store.notifications import Ear, Server, send

DEBOUNCE_SECONDS = 0.02
"""Shortest time between two wake-ups of one queue by one process; a later one is sent when it is over, never dropped."""


class Wakeups:
    """Hears the wake-ups of one queue on a connection of its own.

    async with database.listen("mail") as wakeups:
        woken = await wakeups.wait(timeout_seconds=5)

    A connection that is lost is made again in the background, without an error: the caller polls anyway.
    """

    def __init__(self, server: Server, queue: str) -> None:
        self._woken = asyncio.Event()
        # What was sent while nobody listened is unknown: look once.
        self._ear = Ear(server, wakeup_channel(queue), began=self._woken.set, heard=lambda _message: self._woken.set())

    async def __aenter__(self) -> Self:
        self._ear.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[None]:
        """One item for each time that something was heard since the last."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            yield

    @property
    def listening(self) -> bool:
        """Whether a wake-up sent now would be heard."""
        return self._ear.hears

    async def ready(self) -> None:
        """Wait until wake-ups are heard; for ever where LISTEN is not possible."""
        await self._ear.ready()

    async def wait(self, *, timeout_seconds: float) -> bool:
        """Wait for a wake-up; False when none came in time. One heard since the last wait counts at once."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    async def close(self) -> None:
        """Stop listening."""
        await self._ear.close()


class Waker:
    """Sends wake-ups of one process, debounced: the first at once, those that follow together."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._sent_at: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def wake(self, queue: str) -> None:
        """Wake a queue's workers."""
        if queue in self._waiting:
            return
        since = time.monotonic() - self._sent_at.get(queue, float("-inf"))
        if since >= DEBOUNCE_SECONDS:
            await self._send(queue)
        else:
            self._waiting.add(queue)
            task = asyncio.create_task(self._send_later(queue, DEBOUNCE_SECONDS - since), name=f"wake {queue}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Send what waits, and see what is being sent through: it would give its connection back to a pool that is closed."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send_later(self, queue: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._waiting.discard(queue)
        await self._send(queue)

    async def _send(self, queue: str) -> None:
        self._sent_at[queue] = time.monotonic()
        await send(self._server, wakeup_channel(queue), [""])
