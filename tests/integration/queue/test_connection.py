"""Reaching the database, losing it, and waking those who sleep."""

import asyncio
import socket

import psycopg
import pytest

from taskfleet.errors import DatabaseUnreachableError, SchemaMissingError, SchemaTooNewError
from taskfleet.migrations import Migrator
from taskfleet.models import KindPolicy
from taskfleet.store import Database, Limits, MaintenanceStore, ReaderStore
from tests.integration.queue.scene import QUEUE, Scene
from tests.support.relays import relay_to
from tests.support.waiting import eventually


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.requirement("E6", "E10")
async def test_unreachable_database_is_a_clear_error_without_the_password() -> None:
    database = Database(f"postgresql://shop:secret@127.0.0.1:{free_port()}/orders", connect_tries=2)

    with pytest.raises(DatabaseUnreachableError) as caught:
        await database.open()

    assert "127.0.0.1" in str(caught.value)
    assert "in 2 tries" in str(caught.value)
    assert "secret" not in str(caught.value) + repr(database)
    assert isinstance(caught.value.__cause__, psycopg.OperationalError)


@pytest.mark.requirement("E6", "E10")
async def test_cut_connections_are_made_again(scene: Scene, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    await asyncio.gather(*(scene.fill(10) for _ in range(5)))
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    claim = await scene.claim(await scene.session(), limit=50)

    assert len(claim.tasks) == 50


async def test_slow_statement_is_an_unreachable_database(database_url: str, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    async with Database(database_url, limits=Limits(statement_seconds=0.2)) as database:
        reader = ReaderStore(database)
        await reader.queues()

        with connection.transaction():
            connection.execute("LOCK TABLE taskfleet.queues")
            with pytest.raises(DatabaseUnreachableError, match=r"did not answer within 0\.2 s"):
                await reader.queues()


@pytest.mark.requirement("E10")
async def test_hanging_server_holds_nobody_up(database_url: str) -> None:
    async with relay_to(database_url) as relay, Database(relay.url(database_url), limits=Limits(statement_seconds=0.1)) as database:
        reader = ReaderStore(database)
        await reader.queues()
        relay.freeze()

        with pytest.raises(DatabaseUnreachableError, match=r"did not answer within 0\.1 s"):
            await asyncio.wait_for(reader.queues(), timeout=10)


@pytest.mark.requirement("B4", "E10")
@pytest.mark.parametrize("pooled", [False, True], ids=["direct", "behind a pooler"])
async def test_client_frozen_in_a_transaction_holds_no_job_up(scene: Scene, *, pooled: bool) -> None:
    """A worker that is stopped between taking the lock of a job and its commit, and that goes on later."""
    thawed, begun = asyncio.Event(), 0
    async with Database(scene.database.url, pooled=pooled, limits=Limits(silent_seconds=0.1)) as database:

        async def freeze(connection: "psycopg.AsyncConnection[tuple[object, ...]]") -> str:
            nonlocal begun
            async with database.transaction(connection):
                await connection.execute(database.query("begin_job"), {"job": "recover_leases", "due_seconds": 0})
                begun += 1
                await thawed.wait()
                await connection.execute("SELECT 1")
            return "went on"

        async def recovered() -> bool:
            return (await MaintenanceStore(scene.database).recover_leases(due_seconds=0, limit=10)).ran

        frozen = asyncio.create_task(database.run(freeze))
        await eventually(lambda: begun == 1)
        assert await eventually(recovered)
        thawed.set()

        assert (await frozen, begun) == ("went on", 2)


async def test_cancelled_work_leaves_the_pool_whole(scene: Scene) -> None:
    async with Database(scene.database.url, pool_size=1, limits=Limits(statement_seconds=60)) as database:

        async def sleep(connection: "psycopg.AsyncConnection[tuple[object, ...]]") -> None:
            await connection.execute("SELECT pg_sleep(60)")

        task = asyncio.create_task(database.run(sleep))
        await eventually(lambda: scene.value("SELECT true FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"))
        task.cancel()
        await asyncio.wait({task})

        assert task.cancelled()
        assert await ReaderStore(database).queues() == ()


async def test_missing_schema_says_what_to_do(empty_database_url: str) -> None:
    async with Database(empty_database_url) as database:
        with pytest.raises(SchemaMissingError, match="taskfleet migrate up"):
            await database.check_schema()
        with pytest.raises(SchemaMissingError, match="taskfleet migrate up"):
            await ReaderStore(database).queues()


async def test_schema_of_a_newer_release_is_refused(scene: Scene) -> None:
    await scene.database.check_schema()
    await scene.rows("INSERT INTO taskfleet.migrations (version, name, checksum) VALUES (999, 'later', '')")

    with pytest.raises(SchemaTooNewError, match="999"):
        await scene.database.check_schema()


async def test_half_migrated_schema_is_refused(scene: Scene) -> None:
    await scene.rows("DELETE FROM taskfleet.migrations WHERE version > 1")

    with pytest.raises(SchemaMissingError):
        await scene.database.check_schema()


async def test_another_schema_name_works_the_same(empty_database_url: str) -> None:
    Migrator(empty_database_url, "jobs").up()
    async with Database(empty_database_url, schema="jobs") as database:
        scene = Scene(database=database)
        await scene.policy(KindPolicy(kind="send", max_concurrent=1))
        session = await scene.session()

        claim = await scene.claim(session)

        assert claim.tasks == ()
        assert await scene.reader.queues() == (QUEUE,)


async def test_pool_lends_no_more_than_its_size(database_url: str) -> None:
    async with Database(database_url, pool_size=2, application_name="pool test") as database:
        reader = ReaderStore(database)

        await asyncio.gather(*(reader.queues() for _ in range(20)))

        async with database.connection() as connection:
            cursor = await connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pool test'")
            assert await cursor.fetchone() == (2,)


async def test_connection_that_comes_back_after_the_end_is_closed(database_url: str) -> None:
    database = Database(database_url)
    async with database.connection() as lent:
        await database.close()

    assert lent.closed


async def test_connection_left_in_a_transaction_is_not_lent_again(scene: Scene) -> None:
    async with scene.database.connection() as connection:
        await connection.execute("BEGIN")

    assert connection.closed
    assert await scene.count("queues") == 0


@pytest.mark.requirement("A10")
async def test_sleeper_is_woken(scene: Scene) -> None:
    async with scene.database.listen(QUEUE) as wakeups:
        await wakeups.ready()
        await wakeups.wait(timeout_seconds=0)
        sleeping = asyncio.create_task(wakeups.wait(timeout_seconds=20))

        await scene.database.wake(QUEUE)

        assert await sleeping


async def test_other_queues_sleep_on(scene: Scene) -> None:
    async with scene.database.listen(QUEUE) as wakeups:
        await wakeups.ready()
        await wakeups.wait(timeout_seconds=0)
        await scene.database.wake("other")

        assert await wakeups.wait(timeout_seconds=0.1) is False


async def test_many_wakes_are_few_notifications_and_the_last_one_is_sent(scene: Scene) -> None:
    async with await scene.database.connect() as listening:
        await listening.execute(f"LISTEN taskfleet_queue_{QUEUE}")
        for _ in range(50):
            await scene.database.wake(QUEUE)
        heard = [notification.channel async for notification in listening.notifies(timeout=1, stop_after=2)]
        more = [notification.channel async for notification in listening.notifies(timeout=0.2)]

    assert (len(heard), len(more) <= 10) == (2, True)


async def test_wake_ups_come_back_after_a_cut_connection(scene: Scene, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    async with scene.database.listen(QUEUE) as wakeups:
        await wakeups.ready()
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        await eventually(lambda: not wakeups.listening)
        await wakeups.ready()

        # Nobody knows what was missed meanwhile: it counts as a wake-up.
        assert await wakeups.wait(timeout_seconds=5)


async def test_items_come_with_each_wake_up(scene: Scene) -> None:
    async with scene.database.listen(QUEUE) as wakeups:
        items = aiter(wakeups)
        await anext(items)
        await scene.database.wake(QUEUE)

        await asyncio.wait_for(anext(items), timeout=10)


@pytest.mark.requirement("A10")
async def test_behind_a_pooler_nothing_is_heard_and_nothing_breaks(database_url: str) -> None:
    async with Database(database_url, pooled=True) as database, database.listen(QUEUE) as wakeups:
        await database.wake(QUEUE)

        assert await wakeups.wait(timeout_seconds=0.1) is False
        assert await ReaderStore(database).queues() == ()


async def test_wake_that_cannot_be_sent_is_nobodys_problem(scene: Scene) -> None:
    database = Database(f"postgresql://shop:secret@127.0.0.1:{free_port()}/orders", connect_tries=1)

    await database.wake(QUEUE)
