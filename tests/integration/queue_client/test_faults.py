import os
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

import taskfleet
from taskfleet import DatabaseUnreachableError, NewTask, QueueSettings, SettingsError, TaskfleetError
from tests.integration.queue_client.conftest import EitherProducer, Make
from tests.support.postgres import TestServer


def cut_others(connection: psycopg.Connection[Any]) -> None:
    """What a restart of the server does to everybody's connections."""
    connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@pytest.mark.requirement("E6", "E10")
async def test_a_database_that_is_not_there_ends_in_a_clear_error_after_its_tries(
    make: Make, impatient: QueueSettings, closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    producer = make(f"postgresql://shop:hush-hush@127.0.0.1:{closed_port}/orders", settings=impatient)

    for call in (producer.open(), producer.enqueue("mail"), producer.enqueue_many([NewTask(kind="mail")]), producer.length()):
        with pytest.raises(
            DatabaseUnreachableError, match=rf"127\.0\.0\.1:{closed_port}/orders as shop gave no connection in 2 tries"
        ) as caught:
            await call
        assert "hush" not in str(caught.value)
    assert "hush" not in repr(producer.real)
    assert not [record for record in caplog.records if "hush" in str(vars(record))]


@pytest.mark.requirement("E6")
async def test_a_connection_cut_while_idle_is_replaced_without_anybody_noticing(
    producer: EitherProducer, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskfleet.client.connections.UNCHECKED_SECONDS", -1.0)
    monkeypatch.setattr("taskfleet.client.async_producer.UNCHECKED_SECONDS", -1.0)
    await producer.enqueue("mail")
    cut_others(connection)

    await producer.enqueue("mail")
    cut_others(connection)
    await producer.enqueue_many([NewTask(kind="mail")])

    assert await producer.length() == 3


async def test_a_connection_cut_in_the_act_says_that_the_outcome_is_unknown(
    producer: EitherProducer, connection: psycopg.Connection[Any]
) -> None:
    await producer.enqueue("mail")
    connection.execute(
        b"""
        CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
        CREATE TRIGGER cut BEFORE INSERT ON taskfleet.ready FOR EACH ROW EXECUTE FUNCTION cut()
        """
    )

    for call in (producer.enqueue("mail"), producer.enqueue_many([NewTask(kind="mail")])):
        with pytest.raises(DatabaseUnreachableError, match=r"was lost on the way .*: whether the task was stored is unknown"):
            await call

    connection.execute("DROP TRIGGER cut ON taskfleet.ready")
    await producer.enqueue("mail")
    assert await producer.length() == 2


async def test_what_the_database_refuses_is_told_in_its_words(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    await producer.enqueue("mail")
    connection.execute("ALTER TABLE taskfleet.ready ADD CHECK (priority <> 7)")

    for call in (producer.enqueue("mail", priority=7), producer.enqueue_many([NewTask(kind="mail", priority=7)])):
        with pytest.raises(TaskfleetError, match='refused, nothing was stored: new row for relation "ready" violates check constraint'):
            await call

    assert await producer.length() == 1


@pytest.mark.requirement("E10")
async def test_a_rotated_password_is_read_from_the_file_again(
    make: Make, postgres_server: TestServer, database_url: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    role = f"shop_{os.getpid()}"
    connection.execute(SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD 'old'").format(Identifier(role)))
    try:
        address = database_url.split("@")[1]
        file = tmp_path / "uri"
        file.write_text(f"postgresql://{role}:old@{address}")
        producer = make(None, settings=QueueSettings(database_url_file=file, connect_tries=1))
        await producer.enqueue("mail")
        connection.execute(SQL("ALTER ROLE {} PASSWORD 'new'").format(Identifier(role)))
        await producer.close()
        with pytest.raises(DatabaseUnreachableError, match="password authentication failed"):
            await producer.enqueue("mail")
        file.write_text(f"postgresql://{role}:new@{address}")

        await producer.enqueue("mail")

        assert await producer.length() == 2
        await producer.close()
    finally:
        connection.execute(SQL("DROP ROLE {}").format(Identifier(role)))


def test_settings_name_the_database_and_the_queue(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", database_url)
    monkeypatch.setenv("TASKFLEET_QUEUE", "from-the-environment")

    with taskfleet.Producer() as producer:
        task = producer.get_task(producer.enqueue("mail").task_id)

    assert task.queue == producer.queue == "from-the-environment"


@pytest.mark.parametrize("producer", [taskfleet.Producer, taskfleet.AsyncProducer])
def test_a_wrong_name_of_a_queue_is_refused_at_once(producer: type[taskfleet.Producer | taskfleet.AsyncProducer]) -> None:
    with pytest.raises(SettingsError, match="queue '-' is no name of a queue"):
        producer("postgresql://", queue="-")


async def test_through_a_pooler_nothing_is_prepared(make: Make, database_url: str, connection: psycopg.Connection[Any]) -> None:
    producer = make(database_url, settings=QueueSettings(pooled=True))
    for _ in range(10):
        await producer.enqueue("mail")

    if isinstance(producer.real, taskfleet.Producer):
        with producer.real._connections.connection() as own:
            assert own.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
    assert await producer.length() == 10


def test_threads_share_a_producer_and_a_wrong_task_of_one_disturbs_no_other(database_url: str) -> None:
    refused: list[Exception] = []

    def work(number: int) -> None:
        for n in range(20):
            if number == 0:
                with pytest.raises(taskfleet.InvalidTaskError):
                    producer.enqueue_many([NewTask(kind="mail"), NewTask(kind="mail", payload=object())])
            try:
                producer.enqueue(f"kind{n % 5}")
            except TaskfleetError as error:
                refused.append(error)

    with taskfleet.Producer(database_url, settings=QueueSettings(pool_size=2)) as producer:
        threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert refused == []
        assert producer.length() == 120
        assert len(producer._connections._idle) <= 2


def test_a_forked_child_opens_connections_of_its_own(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with taskfleet.Producer(database_url) as producer:
        producer.enqueue("mail")
        (parents, _) = producer._connections._idle[0]
        real = os.getpid()
        monkeypatch.setattr("taskfleet.client.connections.os.getpid", lambda: real + 1)
        producer.enqueue("mail")

        assert producer._connections._idle[0][0] is not parents
        assert producer.length() == 2
        parents.close()


async def test_a_closed_producer_opens_again_when_it_is_used(producer: EitherProducer) -> None:
    await producer.enqueue("mail")
    await producer.close()
    await producer.enqueue("mail")

    assert await producer.length() == 2
