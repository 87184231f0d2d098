import asyncio
from typing import Any

import psycopg
import pytest

import taskfleet
from taskfleet import NewTask, QueueFullError
from tests.integration.queue_client.conftest import EitherProducer


def limit(connection: psycopg.Connection[Any], *, most: int | None, warn: int | None = None) -> None:
    connection.execute("INSERT INTO taskfleet.queues (name) VALUES ('orders') ON CONFLICT DO NOTHING")
    connection.execute("UPDATE taskfleet.queues SET max_length = %s, warn_length = %s", [most, warn])


def waiting(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM taskfleet.ready").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.requirement("E7")
async def test_a_full_queue_refuses_the_next_task_and_loses_none(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    limit(connection, most=5)
    for _ in range(5):
        await producer.enqueue("mail")

    with pytest.raises(
        QueueFullError, match=r"queue 'orders' holds 5 tasks, its limit is 5: let it drain, or raise limits\.maxLength"
    ) as caught:
        await producer.enqueue("mail")

    assert (caught.value.queue, caught.value.length, caught.value.limit) == ("orders", 5, 5)
    assert (waiting(connection), await producer.length()) == (5, 5)


@pytest.mark.requirement("E7")
async def test_a_batch_that_does_not_fit_is_refused_whole(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    limit(connection, most=5)
    await producer.enqueue_many([NewTask(kind="mail")] * 3)

    with pytest.raises(QueueFullError, match="holds 3 tasks, its limit is 5; 3 more do not fit"):
        await producer.enqueue_many([NewTask(kind="mail")] * 3)

    assert waiting(connection) == 3
    await producer.enqueue_many([NewTask(kind="mail")] * 2)


async def test_a_queue_that_has_drained_takes_tasks_again_at_once(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    limit(connection, most=2)
    await producer.enqueue_many([NewTask(kind="mail")] * 2)
    with pytest.raises(QueueFullError):
        await producer.enqueue("mail")
    connection.execute(b"DELETE FROM taskfleet.ready; DELETE FROM taskfleet.backlog_ledger")

    await producer.enqueue("mail")

    assert waiting(connection) == 1


async def test_a_limit_that_is_lifted_lets_everything_in(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    limit(connection, most=1)
    await producer.enqueue("mail")
    limit(connection, most=None)

    await producer.enqueue_many([NewTask(kind="mail")] * 50)
    await producer.enqueue("mail")

    assert waiting(connection) == 52


async def test_other_queues_do_not_count(producer: EitherProducer, connection: psycopg.Connection[Any], database_url: str) -> None:
    limit(connection, most=1)
    with taskfleet.Producer(database_url, queue="other") as other:
        other.enqueue_many([NewTask(kind="mail")] * 10)

    await producer.enqueue("mail")


@pytest.mark.requirement("E7")
async def test_producers_together_pass_a_limit_by_a_tenth_of_the_room_each_at_most(
    database_url: str, connection: psycopg.Connection[Any]
) -> None:
    limit(connection, most=100)
    producers = [taskfleet.AsyncProducer(database_url, queue="orders") for _ in range(4)]

    async def fill(producer: taskfleet.AsyncProducer) -> int:
        for accepted in range(200):
            try:
                await producer.enqueue("mail")
            except QueueFullError:
                return accepted
        return 200

    accepted = await asyncio.gather(*(fill(producer) for producer in producers))
    for producer in producers:
        await producer.close()

    assert sum(accepted) == waiting(connection)
    assert 100 <= sum(accepted) <= 140


@pytest.mark.requirement("E5")
async def test_a_queue_that_crosses_its_bounds_is_logged(
    producer: EitherProducer, connection: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    limit(connection, most=20, warn=10)
    for _ in range(20):
        await producer.enqueue("mail")
    with pytest.raises(QueueFullError):
        await producer.enqueue("mail")

    told = [(record.message, vars(record)["queue"]) for record in caplog.records if record.name == "taskfleet.producer"]
    assert told == [("queue.long", "orders"), ("queue.full", "orders")]
