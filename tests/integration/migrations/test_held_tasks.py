"""Rolling the schema back and forward loses no task that was put aside."""

import pytest

from taskfleet import AsyncProducer
from taskfleet.migrations import Migrator
from taskfleet.store import Database
from tests.integration.queue.scene import Scene, completed

BEFORE_HOLDING = 10


@pytest.mark.requirement("C5")
async def test_paused_tasks_wait_again_after_the_way_back_and_every_task_is_kept(database_url: str) -> None:
    async with Database(database_url) as database:
        scene = Scene(database=database)
        (running,) = await scene.claimed()
        async with AsyncProducer(database_url, queue=scene.queue) as producer:
            waiting = [(await producer.enqueue("send", {"n": n}, group="g")).task_id for n in range(4)]
            await producer.pause_group("g")
            await producer.cancel(running.task_id)
    migrator = Migrator(database_url)

    migrator.down(to=BEFORE_HOLDING)
    migrator.up()

    async with Database(database_url) as database:
        scene = Scene(database=database)
        settled = await scene.worker.settle(completed(running))
        rows = await scene.rows("SELECT task_id FROM taskfleet.ready ORDER BY task_id")
        assert [row["task_id"] for row in rows] == waiting
        assert settled.finished == (running.task_id,)
        assert await scene.faults() == []
