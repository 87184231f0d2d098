"""Transactions whose snapshot is older than a group's pause, or its end: their tasks are where the group is now."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from taskfleet import AsyncProducer, NewTask, TaskState
from taskfleet.maintenance import run_once
from tests.integration.queue.scene import QUEUE, Scene, failed, ids

pytestmark = pytest.mark.requirement("C4")

ISOLATIONS = pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])


@pytest.fixture
async def producer(scene: Scene) -> AsyncIterator[AsyncProducer]:
    async with AsyncProducer(scene.database.url, queue=QUEUE) as made:
        await made.enqueue("send")
        yield made


@asynccontextmanager
async def snapshot(scene: Scene, isolation: str = "repeatable read") -> AsyncIterator["psycopg.AsyncConnection[Any]"]:
    """A transaction of a caller's that has taken its snapshot; committed at the end."""
    async with await psycopg.AsyncConnection.connect(scene.database.url) as connection:
        await connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}".encode())
        await connection.execute("SELECT count(*) FROM taskfleet.paused_groups")
        yield connection


async def where(scene: Scene, *task_ids: int) -> list[TaskState]:
    return [(await scene.reader.get_task(task_id)).state for task_id in task_ids]


async def marks(scene: Scene) -> list[str]:
    return [row["state"] for row in await scene.rows("SELECT state FROM taskfleet.paused_groups")]


@ISOLATIONS
async def test_what_a_transaction_older_than_the_pause_stores_is_put_aside(scene: Scene, producer: AsyncProducer, isolation: str) -> None:
    async with snapshot(scene, isolation) as connection:
        await producer.pause_group("tenant")
        assert await marks(scene) == ["paused"]
        one = await producer.enqueue("send", group="tenant", connection=connection)
        many = await producer.enqueue_many([NewTask(kind="send", group=group) for group in ("tenant", "other")], connection=connection)

    expected = [TaskState.PAUSED, TaskState.PAUSED, TaskState.READY]
    assert await where(scene, one.task_id, *(answer.task_id for answer in many)) == expected
    assert len((await scene.claim(await scene.session())).tasks) == 2
    assert await scene.faults() == []


async def test_a_dead_letter_that_such_a_transaction_retries_is_put_aside_too(scene: Scene, producer: AsyncProducer) -> None:
    (task,) = await scene.claimed(group="tenant", priority=0)
    await scene.worker.settle(failed(task, retryable=False))
    async with snapshot(scene) as connection:
        await producer.pause_group("tenant")
        await producer.retry(task.task_id, connection=connection)

    assert await where(scene, task.task_id) == [TaskState.PAUSED]
    assert await scene.faults() == []


async def test_what_the_contract_for_other_languages_stores_is_put_aside_too(scene: Scene, producer: AsyncProducer) -> None:
    async with snapshot(scene) as connection:
        await producer.pause_group("tenant")
        cursor = await connection.execute("SELECT task_id FROM taskfleet.enqueue(%s, 'send', group_name => 'tenant')", [QUEUE])
        (task_id,) = await cursor.fetchone() or (0,)

    assert await where(scene, task_id) == [TaskState.PAUSED]


@ISOLATIONS
async def test_what_a_transaction_older_than_the_end_of_the_pause_stores_is_ready(
    scene: Scene, producer: AsyncProducer, isolation: str
) -> None:
    await producer.pause_group("tenant")
    async with snapshot(scene, isolation) as connection:
        await producer.resume_group("tenant")
        assert await marks(scene) == []
        answer = await producer.enqueue("send", group="tenant", connection=connection)

    assert await where(scene, answer.task_id) == [TaskState.READY]
    assert await scene.faults() == []


async def test_a_group_is_not_through_with_resuming_while_such_a_transaction_may_put_something_aside(
    scene: Scene, producer: AsyncProducer
) -> None:
    first = await producer.enqueue("send", group="tenant")
    await producer.pause_group("tenant")
    async with snapshot(scene) as connection:
        late = await producer.enqueue("send", group="tenant", connection=connection)
        await producer.resume_group("tenant")
        await run_once(scene.database)
        meanwhile = await where(scene, first.task_id), await marks(scene)
    await run_once(scene.database)
    await run_once(scene.database)

    assert meanwhile == ([TaskState.READY], ["resuming"])
    assert await where(scene, late.task_id) == [TaskState.READY]
    assert await marks(scene) == []
    assert await scene.faults() == []


async def test_asking_leaves_no_mark_and_a_savepoint_of_the_caller_stays_whole(scene: Scene, producer: AsyncProducer) -> None:
    async with snapshot(scene) as connection, connection.transaction():
        answer = await producer.enqueue("send", group="tenant", connection=connection)

    assert await marks(scene) == []
    assert answer.task_id in ids((await scene.claim(await scene.session())).tasks)
