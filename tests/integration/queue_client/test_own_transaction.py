from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from taskfleet import NewTask, QueueFullError, SchemaMissingError
from tests.integration.queue_client.conftest import EitherProducer, Make, plain


def waiting(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM taskfleet.ready").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.requirement("E3")
@pytest.mark.parametrize("commits", [True, False], ids=["committed", "rolled back"])
async def test_tasks_share_the_fate_of_the_callers_transaction(
    producer: EitherProducer, own_connection: Callable[..., Any], connection: psycopg.Connection[Any], *, commits: bool
) -> None:
    async with own_connection() as own:
        await plain(own.execute("CREATE TABLE orders AS SELECT 1 AS id"))
        first = await producer.enqueue("mail", connection=own)
        many = await producer.enqueue_many([NewTask(kind="sms"), NewTask(kind="push")], connection=own)
        seen_inside = [(await producer.get_task(answer.task_id, connection=own)).kind for answer in (first, *many)]
        length_inside = await producer.length(connection=own)
        seen_outside = waiting(connection)
        await plain(own.commit() if commits else own.rollback())

    assert (seen_inside, length_inside, seen_outside) == (["mail", "sms", "push"], 3, 0)
    assert waiting(connection) == (3 if commits else 0)
    assert connection.execute("SELECT to_regclass('orders') IS NOT NULL").fetchone() == (commits,)


async def test_a_producer_goes_on_after_the_kinds_it_made_were_rolled_back(
    producer: EitherProducer, own_connection: Callable[..., Any], connection: psycopg.Connection[Any]
) -> None:
    async with own_connection() as own:
        await producer.enqueue("mail", connection=own)
        await plain(own.rollback())
        await producer.enqueue_many([NewTask(kind="mail")], connection=own)
        await plain(own.rollback())

    await producer.enqueue("mail")
    await producer.enqueue_many([NewTask(kind="mail")])

    assert waiting(connection) == 2


async def test_a_batch_begins_a_transaction_and_leaves_the_commit_to_the_caller(
    producer: EitherProducer, own_connection: Callable[..., Any], connection: psycopg.Connection[Any]
) -> None:
    async with own_connection() as own:
        await producer.enqueue_many([NewTask(kind="mail")], connection=own)
        before = waiting(connection)
        await plain(own.commit())

    assert (before, waiting(connection)) == (0, 1)


async def test_on_an_autocommit_connection_a_batch_is_still_all_or_nothing(
    producer: EitherProducer, own_connection: Callable[..., Any], connection: psycopg.Connection[Any]
) -> None:
    async with own_connection(autocommit=True) as own:
        await producer.enqueue("mail", connection=own)
        await producer.enqueue_many([NewTask(kind="mail")] * 2, connection=own)
        after = waiting(connection)
        connection.execute("UPDATE taskfleet.queues SET max_length = 4")
        producer.real._known.forget()
        with pytest.raises(QueueFullError):
            await producer.enqueue_many([NewTask(kind="mail")] * 2, connection=own)

    assert (after, waiting(connection)) == (3, 3)


async def test_a_batch_that_is_refused_leaves_the_callers_transaction_usable(
    producer: EitherProducer, own_connection: Callable[..., Any], connection: psycopg.Connection[Any]
) -> None:
    async with own_connection() as own:
        await producer.enqueue("mail", connection=own)
        with pytest.raises(ValueError, match="task 1 of the batch"):
            await producer.enqueue_many([NewTask(kind="mail"), NewTask(kind="")], connection=own)
        await plain(own.commit())

    assert waiting(connection) == 1


async def test_a_database_without_the_schema_says_what_to_run(make: Make, empty_database_url: str, sort: str) -> None:
    producer = make(empty_database_url)

    with pytest.raises(SchemaMissingError, match="run `taskfleet migrate up`"):
        await producer.enqueue("mail")
    if sort == "blocking":
        with psycopg.connect(empty_database_url) as own, pytest.raises(SchemaMissingError):
            await producer.enqueue("mail", connection=own)
