"""The right to scale queues where no Kubernetes Lease decides: advisory locks of one direct connection."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection

from taskfleet.connecting import unreachable
from taskfleet.store.connection import Database


class QueueLocks:
    """Holds one advisory lock a queue on a connection of its own, as long as that connection lives.

    Locks of a session are right here and nowhere else: they end with the process, whatever happened to it, and nobody waits for them.
    They need a direct connection; behind PgBouncer without a way past it nothing is locked and every queue counts as held.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: AsyncConnection[Any] | None = None
        self._held: frozenset[str] = frozenset()

    async def hold(self, queues: Sequence[str]) -> frozenset[str]:
        """Lock what is not locked yet, and give which of the queues this process holds now.

        Also the proof that they are still held: raises DatabaseUnreachableError when the connection is lost, and then none is.
        """
        if not self._database.listens:
            return frozenset(queues)
        try:
            if self._connection is None:
                self._connection = await self._database.connect_directly()
            wanted = [queue for queue in queues if queue not in self._held]
            cursor = await self._connection.execute(
                self._database.query("lock_queues"), {"queues": wanted, "schema": self._database.schema}
            )
            self._held |= {queue for queue, locked in await cursor.fetchall() if locked}
        except psycopg.Error as error:
            await self.close()
            raise unreachable(self._database.url, tries=1, error=error) from error
        return self._held & frozenset(queues)

    async def close(self) -> None:
        """Give every lock back."""
        connection, self._connection, self._held = self._connection, None, frozenset()
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()
