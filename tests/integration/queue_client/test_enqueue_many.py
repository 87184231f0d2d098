from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

import taskfleet
from taskfleet import InvalidTaskError, NewTask, QueueSettings
from tests.integration.queue_client.conftest import EitherProducer, Make


def stored(connection: psycopg.Connection[Any]) -> list[Any]:
    return connection.execute("SELECT payload FROM taskfleet.tasks JOIN taskfleet.ready ON task_id = id ORDER BY id").fetchall()


@pytest.fixture
def in_small_batches(make: Make, database_url: str) -> EitherProducer:
    return make(database_url, settings=QueueSettings(enqueue_batch=7))


@pytest.mark.requirement("E3")
async def test_tasks_are_stored_and_answered_in_the_order_given(
    in_small_batches: EitherProducer, connection: psycopg.Connection[Any]
) -> None:
    answers = await in_small_batches.enqueue_many(NewTask(kind=f"kind{n % 3}", payload=n) for n in range(100))

    assert stored(connection) == [(n,) for n in range(100)]
    assert [(await in_small_batches.get_task(answers[n].task_id)).payload for n in (0, 50, 99)] == [0, 50, 99]


async def test_no_tasks_are_no_work(producer: EitherProducer) -> None:
    assert await producer.enqueue_many([]) == []


async def test_a_wrong_task_in_a_late_batch_undoes_the_earlier_ones(
    in_small_batches: EitherProducer, connection: psycopg.Connection[Any]
) -> None:
    tasks = [NewTask(kind="mail", payload=n) for n in range(30)] + [NewTask(kind="mail", payload=object())]

    with pytest.raises(InvalidTaskError, match="task 30 of the batch: task of kind 'mail': payload is of type object"):
        await in_small_batches.enqueue_many(tasks)

    assert stored(connection) == []
    assert await in_small_batches.length() == 0
    assert [answer.duplicate for answer in await in_small_batches.enqueue_many(tasks[:2])] == [False, False]


async def test_an_iterable_that_fails_undoes_everything_and_keeps_its_error(
    in_small_batches: EitherProducer, connection: psycopg.Connection[Any]
) -> None:
    def tasks() -> Iterator[NewTask]:
        for n in range(20):
            yield NewTask(kind="mail", payload=n)
        raise OSError("the file ends here")

    with pytest.raises(OSError, match="the file ends here"):
        await in_small_batches.enqueue_many(tasks())

    assert stored(connection) == []


async def test_what_copy_could_misread_is_stored_as_it_is(producer: EitherProducer) -> None:
    texts = ["\\N", "\\.", "a\tb", "a\nb", "a\r\nb", "\\", "\\\\t", '"', "'", "\x01\x7f", "\u2028", "😀"]

    answers = await producer.enqueue_many(
        [NewTask(kind="mail", payload=text, group=text, entity=text, headers={text: text}) for text in texts]
    )

    found = [await producer.get_task(answer.task_id) for answer in answers]
    assert [(task.payload, task.group, task.entity, task.headers) for task in found] == [(t, t, t, {t: t}) for t in texts]


async def test_moments_and_delays_count_from_the_databases_clock(producer: EitherProducer) -> None:
    moment = datetime(2031, 5, 1, 12, tzinfo=UTC)
    tasks = [NewTask(kind="mail", run_at=moment), NewTask(kind="mail", delay_seconds=90), NewTask(kind="mail")]

    planned, delayed, now = [await producer.get_task(answer.task_id) for answer in await producer.enqueue_many(tasks)]

    assert planned.run_at == moment
    assert delayed.run_at == delayed.created_at + timedelta(seconds=90)
    assert now.run_at == now.created_at


def test_a_hundred_thousand_tasks_are_one_call(database_url: str, connection: psycopg.Connection[Any]) -> None:
    with taskfleet.Producer(database_url) as producer:
        answers = producer.enqueue_many(NewTask(kind="mail", payload={"n": n}) for n in range(100_000))

        assert producer.length() == len({answer.task_id for answer in answers}) == 100_000
    row = connection.execute("SELECT count(*), sum((payload ->> 'n')::integer) FROM taskfleet.tasks").fetchone()
    assert row == (100_000, sum(range(100_000)))
