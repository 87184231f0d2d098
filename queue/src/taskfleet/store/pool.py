"""A few connections kept open, no more than allowed.

Not psycopg_pool's: that one connects in the background, so a failed try shows as a time-out without its cause, and its retries cannot be
counted. Here a caller that finds no open connection connects by itself and gets the driver's own error.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

Connect = Callable[[], Awaitable[AsyncConnection[Any]]]


class Pool:
    """Up to `size` connections, the most recently used first; the others wait."""

    def __init__(self, connect: Connect, *, size: int) -> None:
        self._connect = connect
        self._free = asyncio.Semaphore(size)
        self._idle: list[AsyncConnection[Any]] = []
        self._closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection in autocommit, for the body alone; raises psycopg's error when it cannot be made."""
        connection = await self.take()
        try:
            yield connection
        finally:
            await self.give_back(connection)

    async def take(self) -> AsyncConnection[Any]:
        """A connection in autocommit that must be given back; raises psycopg's error when it cannot be made."""
        await self._free.acquire()
        try:
            return self._idle.pop() if self._idle else await self._connect()
        except BaseException:
            self._free.release()
            raise

    async def give_back(self, connection: AsyncConnection[Any]) -> None:
        """Take a connection back. One that was left in the middle of something is closed.

        When one is found broken, so are the idle ones: the server that cut one has most likely cut them all.
        """
        try:
            if connection.broken:
                await self._close_idle()
            if self._closed or connection.closed or connection.pgconn.transaction_status != TransactionStatus.IDLE:
                await connection.close()
            else:
                self._idle.append(connection)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Close what is idle now, and what is in use when it is given back."""
        self._closed = True
        await self._close_idle()

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().close()
