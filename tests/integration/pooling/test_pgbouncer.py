"""Everything through the real PgBouncer in transaction mode: three server connections for all clients of a database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from taskfleet import AsyncProducer, NewTask, Producer, QueueSettings
from taskfleet.maintenance import run_once
from taskfleet.migrations import newest_version
from taskfleet.models import KindPolicy
from taskfleet.store import Database, Limits, Pooler
from taskfleet.words import Outcome
from tests.integration.queue.scene import Scene, completed
from tests.support.command_line import CommandLine
from tests.support.pgbouncer import PgBouncer
from tests.support.processes import Processes
from tests.support.waiting import wait_until
from tests.support.workers import start_worker

HANDLERS = """
from taskfleet_worker import Tasks
tasks = Tasks()

@tasks.task("fine")
async def fine(payload: object) -> None: ...
"""
MAKE_OLD = """
CREATE TABLE taskfleet.succeeded_tasks_20200101 PARTITION OF taskfleet.succeeded_tasks
FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2020-01-02 00:00:00+00')
"""


@pytest.fixture
def url(pgbouncer: PgBouncer, database_url: str) -> str:
    """The way to this test's database through PgBouncer."""
    return pgbouncer.through(database_url)


@pytest.fixture
async def scene(url: str) -> AsyncIterator[Scene]:
    limits = Limits(statement_seconds=10)
    async with Database(url, pooled=True, pool_size=12, connect_tries=2, limits=limits) as database:
        yield Scene(database=database)


async def test_producers_of_both_sorts(url: str) -> None:
    settings = QueueSettings(pooled=True)
    many = [NewTask(kind="mail", payload=number, idempotency_key=str(number % 40)) for number in range(50)]
    with Producer(url, queue="orders", settings=settings) as producer:
        first = [producer.enqueue("mail", number).task_id for number in range(10)]
        producer.enqueue_many(many)
    async with AsyncProducer(url, queue="orders", settings=settings) as awaited:
        await asyncio.gather(*(awaited.enqueue("mail", number) for number in range(30)))
        await awaited.enqueue_many(many)

        assert (await awaited.get_task(first[3])).payload == 3
        assert await awaited.length() == 10 + 40 + 30


@pytest.mark.requirement("B5")
async def test_claims_of_many_workers_hold_a_quota(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_concurrent=3))
    await scene.fill(60)
    sessions = [await scene.session() for _ in range(10)]
    most = 0
    for _ in range(6):
        claims = await asyncio.gather(*(scene.claim(session, limit=5) for session in sessions))
        tasks = [task for claim in claims for task in claim.tasks]
        most = max(most, len(tasks))
        await scene.worker.settle_and_claim(completed(*tasks), sessions[0], kinds=["none"], limit=1)

    assert (most, await scene.count("succeeded_tasks"), await scene.faults()) == (3, 18, [])


async def test_sessions_operator_and_readers(scene: Scene) -> None:
    await scene.policy(wait_goal_seconds=60.0)
    epoch = await scene.operator.take_lead("here")
    task, *_ = await scene.claimed(2)
    await scene.operator.write_ceiling(scene.queue, slots=5, epoch=epoch)
    await scene.operator.mark_draining(scene.sessions, draining=True, epoch=epoch)
    beat = await scene.worker.heartbeat(scene.sessions[0], held=[task.lease])
    measured = (await scene.operator.measure([scene.queue]))[scene.queue]

    assert (beat.known, beat.draining, beat.lost) == (True, True, ())
    assert sum(item.count for item in measured.outcomes if item.outcome == "enqueued") == 2
    assert (await scene.reader.get_task(task.task_id)).state == "running"
    assert (await scene.outcomes()).get((Outcome.SUCCEEDED, ""), 0) == 0


async def test_maintenance_runs_and_leaves_no_setting_to_others(scene: Scene) -> None:
    await scene.rows(MAKE_OLD)
    await scene.fill(5)

    handled = await run_once(scene.database)
    settings = {
        tuple(
            (await scene.rows("SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS time"))[0].values()
        )
        for _ in range(12)
    }

    assert handled["drop_old_partitions"] == 1
    assert settings == {("0", "0")}


async def test_a_partition_that_is_being_read_is_left_for_later(scene: Scene, database_url: str) -> None:
    await scene.rows(MAKE_OLD)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT * FROM taskfleet.succeeded_tasks")

        assert (await run_once(scene.database, ["drop_old_partitions"]))["drop_old_partitions"] == 0
    assert (await run_once(scene.database, ["drop_old_partitions"]))["drop_old_partitions"] == 1


@pytest.mark.requirement("A10")
async def test_wake_ups_are_heard_past_it(url: str, database_url: str) -> None:
    async with (
        Database(url, pooled=Pooler(direct_url=lambda: database_url)) as database,
        database.listen("orders") as wakeups,
    ):
        await asyncio.wait_for(wakeups.ready(), 10)
        await wakeups.wait(timeout_seconds=5)
        with Producer(url, queue="orders", settings=QueueSettings(pooled=True)) as producer:
            producer.enqueue("mail")

            assert await wakeups.wait(timeout_seconds=5)


def test_a_worker_process_works(url: str, database_url: str, processes: Processes, tmp_path: Path) -> None:
    environment = {"TASKFLEET_POOLED": "true", "TASKFLEET_POLL_SECONDS": "0.2", "TASKFLEET_DIRECT_DATABASE_URL": database_url}
    with Producer(url, settings=QueueSettings(pooled=True)) as producer:
        ids = [answer.task_id for answer in producer.enqueue_many(NewTask(kind="fine", payload={}) for _ in range(300))]
        worker = start_worker(processes, tmp_path, url, module=HANDLERS, environment=environment)
        wait_until(lambda: {producer.get_task(ids[0]).state, producer.get_task(ids[-1]).state} == {"succeeded"}, within=30)

        assert worker.alive
        assert producer.length() == 0


@pytest.mark.requirement("C5")
def test_migrations_go_past_it(
    pgbouncer: PgBouncer, empty_database_url: str, taskfleet: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKFLEET_POOLED", "true")
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", pgbouncer.through(empty_database_url))
    monkeypatch.setenv("TASKFLEET_DIRECT_DATABASE_URL", empty_database_url)

    assert len(taskfleet("migrate", "up").out.splitlines()) == newest_version()
    assert taskfleet("stats", "-o", "json").code == 0
