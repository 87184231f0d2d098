"""Notifications: hints, never the truth. Whoever hears them looks by itself now and then, so one that is lost costs only time.

NOTIFY never runs in a data transaction: it takes a global lock at commit (64 clients fell from 16,400 to 4,300 commits a second).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, Protocol

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from taskfleet.backoff import jittered
from taskfleet.channels import NOTIFY
from taskfleet.errors import TaskfleetError

_log = logging.getLogger(__name__)

_SHORTEST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 30.0


class Server(Protocol):
    """Where notifications go through; `Database` is the real one."""

    @property
    def listens(self) -> bool:
        """Whether a session of our own can be had."""

    def connect_directly(self) -> Awaitable[AsyncConnection[Any]]:
        """A new connection whose session is the caller's alone."""

    def run(self, work: Callable[[AsyncConnection[Any]], Awaitable[None]]) -> Awaitable[None]:
        """Do work on a lent connection."""


async def send(server: Server, channel: str, messages: Sequence[str]) -> None:
    """Send messages to a channel; a failure is logged, nobody depends on them."""

    async def notify(connection: AsyncConnection[Any]) -> None:
        await connection.execute(NOTIFY, [channel, list(messages)])

    try:
        await server.run(notify)
    except (TaskfleetError, psycopg.Error) as error:
        _log.info("notifications.not_sent", extra={"channel": channel, "error": str(error)})


class Ear:
    """Hears one channel in the background, on a connection of its own that is made again when it is lost."""

    def __init__(self, server: Server, channel: str, *, began: Callable[[], None], heard: Callable[[str], None]) -> None:
        """`heard` is called with each message; `began` whenever messages begin to be heard: what was sent before is unknown."""
        self._server = server
        self._channel = channel
        self._began = began
        self._heard = heard
        self._hearing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def hears(self) -> bool:
        """Whether a message sent now would be heard."""
        return self._hearing.is_set()

    async def ready(self) -> None:
        """Wait until messages are heard; for ever where LISTEN is not possible."""
        await self._hearing.wait()

    def open(self) -> None:
        """Begin, unless it has; nothing where LISTEN is not possible."""
        if self._task is None and self._server.listens:
            self._task = asyncio.create_task(self._hear_for_ever(), name=f"listen {self._channel}")

    async def close(self) -> None:
        """Hear no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _hear_for_ever(self) -> None:
        random, pause = Random(), _SHORTEST_PAUSE_SECONDS
        while True:
            try:
                async with await self._server.connect_directly() as connection:
                    await connection.execute(SQL("LISTEN {}").format(Identifier(self._channel)))
                    pause = _SHORTEST_PAUSE_SECONDS
                    self._hearing.set()
                    self._began()
                    async for notice in connection.notifies():
                        self._heard(notice.payload)
            except (psycopg.Error, OSError, TaskfleetError) as error:
                _log.info("notifications.lost", extra={"channel": self._channel, "error": str(error), "next_seconds": pause})
            finally:
                self._hearing.clear()
            await asyncio.sleep(jittered(pause, random=random))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
