"""One PostgreSQL as the stores see it: connections, tries, and errors that people can act on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from json import JSONDecoder
from random import Random
from types import TracebackType
from typing import Any, LiteralString, Self, TypeVar

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.types.json import set_json_loads

from taskfleet.backoff import pauses
from taskfleet.connecting import described, unreachable, with_defaults
from taskfleet.errors import DatabaseUnreachableError, SchemaMissingError, SchemaTooNewError
from taskfleet.schema_name import validated_schema
from taskfleet.schema_version import newest_version
from taskfleet.store.limits import Limits
from taskfleet.store.pool import Pool
from taskfleet.store.queries import load_queries
from taskfleet.store.results import Announcer
from taskfleet.store.wakeups import Waker, Wakeups

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

Url = str | Callable[[], str]
"""A connection URL, or what gives the current one: a mounted secret may change while we run."""

DEFAULT_LIMITS = Limits()

_GONE = (errors.UndefinedTable, errors.UndefinedFunction, errors.UndefinedColumn, errors.InvalidSchemaName)


@dataclass(frozen=True, kw_only=True)
class Pooler:
    """A PgBouncer in transaction mode stands between us and the server."""

    direct_url: Url | None = None
    """The way past it, for what needs a session of its own: LISTEN, locks that last, dropping partitions."""


class Database:
    """One pool of connections to one PostgreSQL.

    What cannot be reached is tried again, `connect_tries` times with exponential backoff and jitter, then DatabaseUnreachableError is
    raised; nothing is ever reported as done that was not committed. Use it in one event loop.
    """

    def __init__(
        self,
        url: Url,
        *,
        schema: str = "taskfleet",
        pool_size: int = 4,
        pooled: Pooler | bool = False,
        application_name: str = "taskfleet",
        connect_tries: int = 5,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """`pooled`: the URL leads to a PgBouncer in transaction mode; no prepared statements then, and LISTEN only past it."""
        self._url = url
        self._schema = validated_schema(schema)
        self._pooled = bool(pooled)
        self._direct_url = pooled.direct_url if isinstance(pooled, Pooler) else None
        self._application_name = application_name
        self._tries = connect_tries
        self._limits = limits
        self._pool = Pool(self.connect, size=pool_size)
        self._queries = load_queries(self._schema)
        self._waker = Waker(self)
        self._announcer = Announcer(self)

    def __repr__(self) -> str:
        return f"Database({described(self.url)!r}, schema={self._schema!r})"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """The connection URL as it is now, password included."""
        return self._url if isinstance(self._url, str) else self._url()

    @property
    def schema(self) -> str:
        """The schema that holds the queue's relations."""
        return self._schema

    @property
    def listens(self) -> bool:
        """Whether a session of our own can be had, for LISTEN and the like: not through PgBouncer in transaction mode."""
        return not self._pooled or self._direct_url is not None

    async def open(self) -> None:
        """Connect once, so that a wrong URL shows at once; raises DatabaseUnreachableError."""
        await self.run(_nothing)

    async def close(self) -> None:
        """Close every connection: idle ones now, lent ones when they come back."""
        await self._waker.close()
        await self._announcer.close()
        await self._pool.close()

    async def check_schema(self) -> None:
        """Raise SchemaMissingError or SchemaTooNewError unless this release works with the schema.

        It does with its own, and with a newer one whose every unknown migration says that it does.
        """
        found, works_from = await self.run(self._schema_version)
        if found < newest_version():
            raise SchemaMissingError(schema=self._schema)
        if works_from is not None and works_from > newest_version():
            raise SchemaTooNewError(schema=self._schema, found=found, known=newest_version())

    def listen(self, queue: str) -> Wakeups:
        """Wake-ups of a queue, on a connection of their own; none at all when LISTEN is not possible. Use it as a context manager."""
        return Wakeups(self, queue)

    async def wake(self, queue: str) -> None:
        """Tell sleeping workers of a queue that there is work: soon, not more often than needed, never in a data transaction."""
        await self._waker.wake(queue)

    def announce(self, task_ids: Iterable[int]) -> None:
        """Tell whoever waits for their results that these tasks have finished: in the background, after their commit."""
        self._announcer.announce(task_ids)

    def query(self, name: str) -> LiteralString:
        """The text of `sql/NAME.sql` for this schema."""
        return self._queries[name]

    async def run(self, work: Callable[[AsyncConnection[Any]], Awaitable[_Answer]]) -> _Answer:
        """Do work on a connection, again from the start when the connection is lost on the way.

        Work that was committed while its answer was lost is done twice: every write is fenced or may be repeated.
        Raises DatabaseUnreachableError after the last try, and when a statement takes longer than it may; SchemaMissingError.
        """
        waits: Iterator[float] | None = None
        while True:
            try:
                return await self._once(work)
            except (errors.QueryCanceled, errors.TransactionTimeout) as error:
                raise self._too_slow() from error
            except _GONE as error:
                raise SchemaMissingError(schema=self._schema) from error
            except (psycopg.OperationalError, psycopg.InterfaceError, errors.IdleInTransactionSessionTimeout) as error:
                waits = pauses(self._tries, random=Random()) if waits is None else waits
                if (pause := next(waits, None)) is None:
                    raise unreachable(self.url, tries=self._tries, error=error) from error
                _log.warning(
                    "database.unreachable", extra={"server": described(self.url), "error": str(error), "next_seconds": round(pause, 3)}
                )
                await asyncio.sleep(pause)

    async def _once(self, work: Callable[[AsyncConnection[Any]], Awaitable[_Answer]]) -> _Answer:
        connection = await self._pool.take()
        try:
            if (seconds := self._limits.call_seconds) is None:
                return await work(connection)
            return await self._patiently(work, connection, seconds=seconds)
        finally:
            await self._pool.give_back(connection)

    async def _patiently(
        self, work: Callable[[AsyncConnection[Any]], Awaitable[_Answer]], connection: AsyncConnection[Any], *, seconds: float
    ) -> _Answer:
        """Do work in bounded time, also where the server cannot end a statement by itself: it hangs, or a pooler stands between.

        Plain cancelling is not enough: the driver would ask the server to stop, and wait for that answer.
        """
        task, expired = asyncio.current_task(), False

        def give_up() -> None:
            nonlocal expired
            expired = True
            connection.pgconn.finish()
            if task is not None:
                task.cancel()

        watch = asyncio.get_running_loop().call_later(seconds, give_up)
        try:
            return await work(connection)
        except asyncio.CancelledError as error:
            if expired and task is not None and task.uncancel() == 0:
                raise self._too_slow() from error
            raise
        finally:
            watch.cancel()

    def _too_slow(self) -> DatabaseUnreachableError:
        return DatabaseUnreachableError(
            f"PostgreSQL at {described(self.url)} did not answer within {self._limits.statement_seconds or 0:g} s"
        )

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection in autocommit, for work that must not be repeated. Raises the driver's errors."""
        async with self._pool.connection() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self, connection: AsyncConnection[Any]) -> AsyncIterator[None]:
        """A transaction on a lent connection, ended by the server when its client falls silent in it."""
        async with connection.transaction():
            if self._pooled and (limit := self._limits.of_transaction()):
                await connection.execute(limit)
            yield

    async def connect(self) -> AsyncConnection[Any]:
        """A new connection in autocommit that is the caller's to close; raises psycopg.OperationalError."""
        return await self._connected(self.url, pooled=self._pooled)

    async def connect_directly(self) -> AsyncConnection[Any]:
        """The same past a pooler where there is a way (`listens`): its session is the caller's alone."""
        if self._direct_url is None:
            return await self.connect()
        return await self._connected(self._direct_url if isinstance(self._direct_url, str) else self._direct_url(), pooled=False)

    async def _connected(self, url: str, *, pooled: bool) -> AsyncConnection[Any]:
        connection = await AsyncConnection[Any].connect(
            with_defaults(url, application_name=self._application_name),
            autocommit=True,
            prepare_threshold=None if pooled else 0,
        )
        try:
            set_json_loads(_json, connection)
            if not pooled and (limits := self._limits.of_session(server_version=connection.info.server_version)):
                await connection.execute(limits, prepare=False)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _schema_version(self, connection: AsyncConnection[Any]) -> tuple[int, int | None]:
        cursor = await connection.execute(self.query("schema_version"), {"known": newest_version()})
        return await cursor.fetchone() or (0, None)


_decode_json = JSONDecoder().raw_decode


def _json(text: str | bytes) -> object:
    """The value of JSON as PostgreSQL writes it: nothing around it, so the decoder's look for white space is left out (half as long)."""
    return _decode_json(text if isinstance(text, str) else str(text, "utf-8"))[0]


async def _nothing(connection: AsyncConnection[Any]) -> None:
    """Work that only needs a connection."""
