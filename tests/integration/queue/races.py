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


async def somebody_waits(scene: Scene) -> bool:
    """Whether a statement waits for a lock."""
    return bool(await scene.value(_WAITING))
