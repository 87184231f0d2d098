"""Two connections that meet: one holds its transaction open, the other must wait for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import psycopg

from tests.integration.queue.scene import Scene
from tests.support.waiting import eventually

Answer = TypeVar("Answer")

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@asynccontextmanager
async def left_open(scene: Scene, statement: str, *parameters: object) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Somebody else's connection, on which a statement has run that is not committed yet."""
    async with await psycopg.AsyncConnection.connect(scene.database.url) as other:
        await other.execute(statement.encode(), parameters)
        yield other
        await other.commit()


async def met(scene: Scene, work: Awaitable[Answer], statement: str, *parameters: object) -> Answer:
    """What work brings that meets a statement whose transaction is committed when the work waits for it, and not before."""
    async with left_open(scene, statement, *parameters):
        meeting = asyncio.ensure_future(work)
        condition: Callable[[], Awaitable[bool] | bool] = partial(somebody_waits, scene)
        await eventually(condition)
    return await meeting


_GATE = """
CREATE SCHEMA gate;
CREATE FUNCTION gate.older(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7);
    RETURN $1 OPERATOR(pg_catalog.<=) $2;
END;
$$;
CREATE OPERATOR gate.<= (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = gate.older);
"""


@asynccontextmanager
async def held_up_where_it_compares_ages(scene: Scene) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A connection whose statements wait for the advisory lock 7 in the middle of their work, where they compare two times by <=."""
    async with await psycopg.AsyncConnection.connect(scene.database.url, autocommit=True) as slow:
        await slow.execute(_GATE.encode())
        await slow.execute("SET search_path = gate, pg_catalog")
        try:
            yield slow
        finally:
            await slow.execute("DROP SCHEMA gate CASCADE")


async def somebody_waits(scene: Scene) -> bool:
    """Whether a statement waits for a lock."""
    return bool(await scene.value(_WAITING))
