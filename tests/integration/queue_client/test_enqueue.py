from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier

import taskfleet
from taskfleet import InvalidTaskError, NewTask, TaskNotFoundError, TaskState
from tests.integration.queue_client.conftest import EitherProducer, Make

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
json_values = st.recursive(
    # Beyond 2^53 jsonb keeps every digit where a float had none: 1e23 would come back as the exact number it stands for.
    st.none() | st.booleans() | st.integers() | st.floats(min_value=-(2**53), max_value=2**53) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=15,
)


def rows(connection: psycopg.Connection[Any], question: str) -> list[Any]:
    return connection.execute(question.encode()).fetchall()


@pytest.mark.requirement("E3")
async def test_a_task_is_ready_with_everything_it_was_given(producer: EitherProducer) -> None:
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    answer = await producer.enqueue(
        "mail.send", {"to": "ä"}, priority=2, group="tenant-1", entity="order-7", headers=headers, max_attempts=9, wants_result=True
    )

    task = await producer.get_task(answer.task_id)

    assert not answer.duplicate
    assert (task.queue, task.kind, task.state, task.payload, task.priority) == ("orders", "mail.send", TaskState.READY, {"to": "ä"}, 2)
    assert (task.group, task.entity, task.headers, task.max_attempts) == ("tenant-1", "order-7", headers, 9)
    assert (task.attempt_count, task.attempts, task.worker, task.finished_at) == (0, (), None, None)
    assert task.trace_id == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.requirement("B7")
async def test_a_task_carries_the_fields_of_its_attempts(producer: EitherProducer) -> None:
    task = await producer.get_task((await producer.enqueue("mail", idempotency_key="k")).task_id)

    assert (task.attempt_count, task.max_attempts, task.last_attempt_at, task.lease_expires_at) == (0, 3, None, None)
    assert task.idempotency_key == "k"
    assert task.run_at is not None
    assert abs(task.run_at - task.created_at) < timedelta(seconds=1)


async def test_a_delay_and_a_moment_make_a_task_scheduled(producer: EitherProducer) -> None:
    moment = datetime.now(UTC) + timedelta(days=3)
    delayed = await producer.get_task((await producer.enqueue("mail", delay_seconds=3600)).task_id)
    planned = await producer.get_task((await producer.enqueue("mail", run_at=moment)).task_id)

    assert (delayed.state, planned.state, planned.run_at) == (TaskState.SCHEDULED, TaskState.SCHEDULED, moment)
    assert delayed.run_at is not None
    assert timedelta(minutes=59) < delayed.run_at - delayed.created_at < timedelta(minutes=61)


async def test_a_moment_in_the_past_counts_as_waiting_since_then(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    moment = datetime.now(UTC) - timedelta(days=3)
    task = await producer.get_task((await producer.enqueue("mail", run_at=moment)).task_id)

    assert (task.state, task.run_at) == (TaskState.READY, moment)
    assert rows(connection, "SELECT due_since FROM taskfleet.ready") == [(moment,)]


async def test_no_payload_is_null_and_not_the_json_null(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    await producer.enqueue("mail")
    await producer.enqueue_many([NewTask(kind="mail")])

    assert rows(connection, "SELECT payload IS NULL FROM taskfleet.tasks") == [(True,), (True,)]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payload=json_values, text=texts.filter(lambda text: 1 <= len(text.encode()) <= 512))
def test_what_is_enqueued_comes_back_as_it_was(connection: psycopg.Connection[Any], database_url: str, payload: object, text: str) -> None:
    fields: dict[str, Any] = {"payload": payload, "group": text, "entity": text, "headers": {text: text}}
    producer = taskfleet.Producer(database_url)
    ids = [producer.enqueue("mail", connection=connection, **fields).task_id]
    ids += [answer.task_id for answer in producer.enqueue_many([NewTask(kind="mail", **fields)], connection=connection)]

    found = [producer.get_task(task_id, connection=connection) for task_id in ids]

    assert [(task.payload, task.group, task.entity, task.headers) for task in found] == [(payload, text, text, {text: text})] * 2


@pytest.mark.requirement("E3")
async def test_length_counts_ready_and_scheduled_tasks_of_the_queue_alone(producer: EitherProducer, make: Make, database_url: str) -> None:
    other = make(database_url, queue="other")
    await producer.enqueue("mail")
    await producer.enqueue("mail", delay_seconds=60)
    await producer.enqueue_many([NewTask(kind="sms")] * 3)
    await other.enqueue("mail")

    assert (await producer.length(), await other.length()) == (5, 1)


async def test_a_queue_that_nobody_has_used_is_empty(make: Make, database_url: str) -> None:
    assert await make(database_url, queue="unused").length() == 0


async def test_both_ledgers_know_every_task(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    await producer.enqueue("mail", priority=1)
    await producer.enqueue_many([NewTask(kind="mail", priority=1, delay_seconds=n * 10) for n in range(30)])

    backlog = rows(connection, "SELECT priority, sum(delta) FROM taskfleet.backlog_ledger GROUP BY 1")
    buckets = rows(connection, "SELECT bucket, sum(delta) FROM taskfleet.backlog_ledger GROUP BY 1 ORDER BY 1")
    truth = rows(connection, "SELECT date_bin('5 s', run_at, '2000-01-01'), count(*) FROM taskfleet.ready GROUP BY 1 ORDER BY 1")
    arrived = rows(connection, "SELECT outcome, sum(count) FROM taskfleet.outcome_ledger GROUP BY 1")
    assert (backlog, buckets, arrived) == ([(1, 31)], truth, [("enqueued", 31)])


@pytest.mark.parametrize("hours", [0, 0.05, 0.5, 3, 60])
async def test_old_tasks_fall_into_the_buckets_that_the_database_means(
    producer: EitherProducer, connection: psycopg.Connection[Any], hours: float
) -> None:
    moment = datetime.now(UTC) - timedelta(hours=hours)
    await producer.enqueue("mail", run_at=moment)
    await producer.enqueue_many([NewTask(kind="mail", run_at=moment)])

    question = "SELECT sum(delta) FROM taskfleet.backlog_ledger GROUP BY taskfleet.backlog_bucket(bucket, now() + interval '1 day')"
    assert rows(connection, question) == [(2,)]


async def test_a_task_that_does_not_exist_is_not_found(producer: EitherProducer) -> None:
    with pytest.raises(TaskNotFoundError, match="there is no task 4711"):
        await producer.get_task(4711)


@pytest.mark.requirement("E10")
async def test_a_wrong_task_writes_nothing_not_even_its_kind(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    for fields in ({"payload": object()}, {"priority": 12}, {"group": ""}):
        with pytest.raises(InvalidTaskError):
            await producer.enqueue("mail", **fields)
        with pytest.raises(InvalidTaskError, match="task 1 of the batch"):
            await producer.enqueue_many([NewTask(kind="mail"), NewTask(kind="mail", **fields)])

    assert rows(connection, "SELECT FROM taskfleet.tasks UNION ALL SELECT FROM taskfleet.kinds") == []


async def test_the_queue_says_how_large_a_payload_may_be(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    await producer.enqueue("mail", "x" * 1_000)
    connection.execute("UPDATE taskfleet.queues SET max_payload_bytes = 1001")
    # As after a second, when the producer looks at the queue again.
    producer.real._known.forget()

    with pytest.raises(InvalidTaskError, match="its payload has 1,002 bytes as JSON, the queue takes 1,001"):
        await producer.enqueue("mail", "x" * 1_000)
    with pytest.raises(InvalidTaskError, match="its payload has 1,002 bytes"):
        await producer.enqueue_many([NewTask(kind="mail", payload="x" * 1_000)])


async def test_a_payload_deeper_than_postgresql_takes_is_refused(producer: EitherProducer, connection: psycopg.Connection[Any]) -> None:
    connection.execute(SQL("ALTER DATABASE {} SET max_stack_depth = '100kB'").format(Identifier(connection.info.dbname)))
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]

    with pytest.raises(InvalidTaskError, match="PostgreSQL does not take this task"):
        await producer.enqueue("mail", deep)


async def test_all_ten_priorities_are_stored(producer: EitherProducer) -> None:
    ids = [(await producer.enqueue("mail", priority=priority)).task_id for priority in range(10)]

    assert [(await producer.get_task(task_id)).priority for task_id in ids] == list(range(10))


async def test_an_unknown_field_is_a_type_error(producer: EitherProducer) -> None:
    with pytest.raises(TypeError, match="urgency"):
        await producer.enqueue("mail", urgency=1)
