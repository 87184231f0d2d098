"""Waking sleeping workers: a hint, never the truth. Polling alone suffices; a wake-up only makes it soon.

NOTIFY never runs in a data transaction: it takes a global lock at commit (64 clients fell from 16,400 to 4,300 commits a second).
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from taskfleet.backoff import jittered
from taskfleet.channels import NOTIFY, wakeup_channel
from taskfleet.errors import TaskfleetError

if TYPE_CHECKING:
    from taskfleet.store.connection import Database

_log = logging.getLogger(__name__)

DEBOUNCE_SECONDS = 0.02
"""Shortest time between two wake-ups of one queue by one process; a later one is sent when it is over, never dropped."""
_LONGEST_PAUSE_SECONDS = 30.0


class Wakeups:
    """Hears the wake-ups of one queue on a connection of its own.

    async with database.listen("mail") as wakeups:
        woken = await wakeups.wait(timeout_seconds=5)

    A connection that is lost is made again in the background, without an error: the caller polls anyway.
    """

    def __init__(self, database: "Database", queue: str) -> None:
        self._database = database
        self._channel = wakeup_channel(queue)
        self._woken = asyncio.Event()
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._database.listens:
            self._task = asyncio.create_task(self._listen_for_ever(), name=f"listen {self._channel}")
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
        return self._listening.is_set()

    async def ready(self) -> None:
        """Wait until wake-ups are heard; for ever where LISTEN is not possible."""
        await self._listening.wait()

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
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _listen_for_ever(self) -> None:
        random, pause = Random(), 0.1
        while True:
            try:
                async with await self._database.connect_directly() as connection:
                    await connection.execute(SQL("LISTEN {}").format(Identifier(self._channel)))
                    pause = 0.1
                    # What was sent while nobody listened is unknown: look once.
                    self._listening.set()
                    self._woken.set()
                    async for _ in connection.notifies():
                        self._woken.set()
            except (psycopg.Error, OSError, TaskfleetError) as error:
                _log.info("wakeups.lost", extra={"channel": self._channel, "error": str(error), "next_seconds": pause})
            finally:
                self._listening.clear()
            await asyncio.sleep(jittered(pause, random=random))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


class Waker:
    """Sends wake-ups of one process, debounced: the first at once, those that follow together."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._sent_at: dict[str, float] = {}
        self._waiting: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def wake(self, queue: str) -> None:
        """Wake a queue's workers; failures are logged, nobody depends on it."""
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

        async def notify(connection: AsyncConnection[Any]) -> None:
            await connection.execute(NOTIFY, [wakeup_channel(queue), [""]])

        try:
            await self._database.run(notify)
        except (TaskfleetError, psycopg.Error) as error:
            _log.info("wakeups.not_sent", extra={"queue": queue, "error": str(error)})
