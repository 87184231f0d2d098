import asyncio
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

import taskfleet
from taskfleet import Enqueued, NewTask
from tests.integration.queue_client.conftest import EitherProducer
from tests.support.waiting import wait_until


def count(connection: psycopg.Connection[Any], relation: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM taskfleet.{relation}".encode()).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.requirement("B7")
async def test_a_key_is_unique_among_unfinished_tasks_of_its_kind(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    first = await producer.enqueue("mail", idempotency_key="order-7")
    again = await producer.enqueue("mail", idempotency_key="order-7")
    other_kind = await producer.enqueue("sms", idempotency_key="order-7")
    in_bulk = await producer.enqueue_many([NewTask(kind="mail", idempotency_key="order-7"), NewTask(kind="mail")])

    assert again == Enqueued(task_id=first.task_id, duplicate=True)
    assert not other_kind.duplicate
    assert in_bulk[0] == again
    assert (count(connection, "tasks"), count(connection, "ready")) == (3, 3)
    assert await producer.length() == 3


async def test_a_key_is_free_again_when_its_task_has_finished(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    first = await producer.enqueue("mail", idempotency_key="k")
    connection.execute("DELETE FROM taskfleet.idempotency_keys")

    assert (await producer.enqueue("mail", idempotency_key="k")).task_id > first.task_id


async def test_the_first_of_two_equal_keys_in_a_batch_wins(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    keys = ["a", "b", "a", None, "b", "a"]

    answers = await producer.enqueue_many([NewTask(kind="mail", payload=n, idempotency_key=key) for n, key in enumerate(keys)])

    assert [answer.duplicate for answer in answers] == [False, False, True, False, True, True]
    assert [answers[n].task_id for n in (2, 4, 5)] == [answers[n].task_id for n in (0, 1, 0)]
    assert (await producer.get_task(answers[0].task_id)).payload == 0
    assert count(connection, "ready") == 3


async def test_a_batch_of_duplicates_alone_stores_nothing(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    tasks = [NewTask(kind="mail", idempotency_key=str(n)) for n in range(5)]
    first = await producer.enqueue_many(tasks)

    assert await producer.enqueue_many(tasks) == [Enqueued(task_id=answer.task_id, duplicate=True) for answer in first]
    assert count(connection, "tasks") == 5


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.mark.parametrize("bulk", [False, True], ids=["one by one", "in bulk"])
@pytest.mark.parametrize("commits", [True, False], ids=["which commits", "which rolls back"])
def test_a_duplicate_waits_for_the_transaction_before_it(
    database_url: str, connection: psycopg.Connection[Any], *, bulk: bool, commits: bool
) -> None:
    answers: list[Enqueued] = []
    with taskfleet.Producer(database_url) as producer, psycopg.connect(database_url) as earlier:
        producer.enqueue("mail")
        first = producer.enqueue("mail", idempotency_key="k", connection=earlier)
        call: Callable[[], object] = (
            (lambda: answers.extend(producer.enqueue_many([NewTask(kind="mail", idempotency_key="k")])))
            if bulk
            else (lambda: answers.append(producer.enqueue("mail", idempotency_key="k")))
        )
        later = threading.Thread(target=call)
        later.start()
        wait_until(lambda: connection.execute(WAITING).fetchone() == (1,))
        if commits:
            earlier.commit()
        else:
            earlier.rollback()
        later.join()

    assert [answer.duplicate for answer in answers] == [commits]
    assert (answers[0].task_id == first.task_id) is commits


@pytest.mark.requirement("B7")
async def test_many_at_once_with_the_same_key_store_one_task(database_url: str, connection: psycopg.Connection[Any]) -> None:
    settings = taskfleet.QueueSettings(pool_size=8)
    async with taskfleet.AsyncProducer(database_url, settings=settings) as producer:
        answers = await asyncio.gather(*(producer.enqueue("mail", idempotency_key=f"k{n % 5}") for n in range(100)))

    assert len({answer.task_id for answer in answers}) == 5
    assert sum(not answer.duplicate for answer in answers) == 5
    assert (count(connection, "tasks"), count(connection, "ready")) == (5, 5)


async def test_batches_that_overlap_in_opposite_order_do_not_deadlock(database_url: str, connection: psycopg.Connection[Any]) -> None:
    tasks = [NewTask(kind="mail", idempotency_key=f"{n:04}") for n in range(500)]
    async with taskfleet.AsyncProducer(database_url, settings=taskfleet.QueueSettings(pool_size=8)) as producer:
        await producer.enqueue("mail")
        await asyncio.gather(*(producer.enqueue_many(tasks if n % 2 else tasks[::-1]) for n in range(8)))

    assert count(connection, "ready") == 501


async def test_many_producers_may_use_a_new_queue_and_its_kinds_at_once(database_url: str, connection: psycopg.Connection[Any]) -> None:
    producers = [taskfleet.AsyncProducer(database_url, queue="new") for _ in range(8)]
    await asyncio.gather(*(producer.enqueue(f"kind{n % 3}") for n in range(6) for producer in producers))
    for producer in producers:
        await producer.close()

    assert (count(connection, "queues"), count(connection, "kinds"), count(connection, "ready")) == (1, 3, 48)
