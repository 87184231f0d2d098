"""Waiting for results: told by the worker's settlement, found by looking where nothing can be heard."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from pydantic import SecretStr

from taskfleet import (
    QueueSettings,
    ResultTimeoutError,
    ResultTooLargeError,
    TaskCancelledError,
    TaskFailedError,
    TaskNotFoundError,
)
from taskfleet.client import results
from taskfleet.client.lifecycle import Action
from taskfleet.models import ClaimedTask, Settlement
from taskfleet.store import Database
from taskfleet.words import ErrorCode
from tests.integration.queue.scene import Scene, completed, failed, released
from tests.integration.queue_client.conftest import EitherProducer, Make
from tests.support.pgbouncer import PgBouncer
from tests.support.waiting import eventually

pytestmark = pytest.mark.requirement("E4")

_LISTENERS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%taskfleet_results%%' AND datname = current_database()"


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    async with Database(database_url, pool_size=10) as database:
        yield Scene(database=database, queue="orders")


async def claimed(scene: Scene, producer: EitherProducer, *, wants_result: bool = True) -> ClaimedTask:
    await producer.enqueue("mail", wants_result=wants_result)
    claim = await scene.claim(await scene.session("mail"), "mail", limit=1)
    return claim.tasks[0]


def waiting(producer: EitherProducer, task: ClaimedTask, *, seconds: float = 20) -> "asyncio.Task[object]":
    """Wait beside the test: blocking producers in a thread of their own."""
    return waiting_for(producer, task.task_id, seconds=seconds)


def waiting_for(producer: EitherProducer, task_id: int, *, seconds: float = 20) -> "asyncio.Task[object]":
    async def wait() -> object:
        real = producer.real
        if asyncio.iscoroutinefunction(real.wait_for_result):
            return await real.wait_for_result(task_id, timeout_seconds=seconds)
        return await asyncio.to_thread(real.wait_for_result, task_id, timeout_seconds=seconds)

    return asyncio.create_task(wait())


async def heard(scene: Scene) -> bool:
    return bool(await scene.value(_LISTENERS))


async def test_a_result_comes_by_notification(scene: Scene, producer: EitherProducer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FIRST_POLL_SECONDS", 30.0)
    monkeypatch.setattr(results, "LONGEST_POLL_SECONDS", 30.0)
    task = await claimed(scene, producer)
    answer = waiting(producer, task)
    await eventually(lambda: heard(scene))
    began = time.monotonic()

    await scene.worker.settle(completed(task, result={"sent": True}))

    assert await answer == {"sent": True}
    assert time.monotonic() - began < 5


async def test_a_result_comes_by_looking_where_nothing_can_be_heard(scene: Scene, make: Make, database_url: str) -> None:
    producer = make(database_url, settings=QueueSettings(pooled=True))
    task = await claimed(scene, producer)
    answer = waiting(producer, task)

    await scene.worker.settle(completed(task, result=7))

    assert await answer == 7
    assert not await heard(scene)


async def test_a_result_comes_though_the_connection_that_listens_is_cut(scene: Scene, producer: EitherProducer) -> None:
    task = await claimed(scene, producer)
    answer = waiting(producer, task)
    await eventually(lambda: heard(scene))
    await scene.rows(_LISTENERS.replace("count(*)", "pg_terminate_backend(pid)"))

    await scene.worker.settle(completed(task, result="late"))

    assert await answer == "late"


async def test_a_result_that_is_there_already_is_given_at_once(scene: Scene, producer: EitherProducer) -> None:
    task = await claimed(scene, producer)
    await scene.worker.settle(completed(task, result=[1, 2]))

    assert await waiting(producer, task) == [1, 2]


async def test_a_task_whose_result_was_not_wanted_gives_none(scene: Scene, producer: EitherProducer) -> None:
    task = await claimed(scene, producer, wants_result=False)
    await scene.worker.settle(completed(task, result=[1, 2]))

    assert await waiting(producer, task) is None


async def raised(answer: Awaitable[object], error: type[Exception]) -> Any:
    with pytest.raises(error) as caught:
        await answer
    return caught.value


@pytest.fixture
def only_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody finds an outcome by looking again."""
    monkeypatch.setattr(results, "FIRST_POLL_SECONDS", 30.0)
    monkeypatch.setattr(results, "LONGEST_POLL_SECONDS", 30.0)


@pytest.mark.usefixtures("only_told")
@pytest.mark.parametrize(
    ("ending", "error"),
    [
        pytest.param(lambda task: failed(task, retryable=False), TaskFailedError, id="a failure"),
        pytest.param(lambda task: failed(task, code=ErrorCode.CANCELLED), TaskCancelledError, id="a handler that was stopped"),
    ],
)
async def test_an_attempt_that_ends_badly_is_told_like_a_result(
    scene: Scene, producer: EitherProducer, ending: Callable[[ClaimedTask], Settlement], error: type[Exception]
) -> None:
    task = await claimed(scene, producer)
    answer = waiting(producer, task)
    await eventually(lambda: heard(scene))
    began = time.monotonic()

    await scene.worker.settle(ending(task))

    await raised(answer, error)
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("only_told")
async def test_past_a_pooler_it_is_heard_too(scene: Scene, make: Make, pgbouncer: PgBouncer, database_url: str) -> None:
    settings = QueueSettings(pooled=True, direct_database_url=SecretStr(database_url))
    producer = make(pgbouncer.through(database_url), settings=settings)
    task = await claimed(scene, producer)
    answer = waiting(producer, task)
    await eventually(lambda: heard(scene))
    began = time.monotonic()

    await scene.worker.settle(completed(task))

    assert await answer is None
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("only_told")
async def test_a_task_that_is_given_back_too_late_or_cancelled_is_told(scene: Scene, producer: EitherProducer) -> None:
    late, unwanted = await claimed(scene, producer), await claimed(scene, producer)
    answers = waiting(producer, late), waiting(producer, unwanted)
    await eventually(lambda: heard(scene))
    began = time.monotonic()
    await scene.rows("UPDATE taskfleet.leases SET due_since = now() - interval '9 days' WHERE task_id = %s", late.task_id)
    await producer.cancel(unwanted.task_id)

    await scene.worker.settle(released(late, unwanted))

    await raised(answers[0], TaskFailedError)
    await raised(answers[1], TaskCancelledError)
    assert time.monotonic() - began < 5


@pytest.mark.usefixtures("only_told")
async def test_a_waiting_task_that_is_cancelled_is_told_by_its_commit(
    scene: Scene, producer: EitherProducer, make: Make, database_url: str
) -> None:
    ids = [(await producer.enqueue("mail", wants_result=True)).task_id for _ in range(2)]
    answers = [waiting_for(producer, task_id) for task_id in ids]
    await eventually(lambda: heard(scene))
    began = time.monotonic()
    other = make(database_url)

    await other.cancel(ids[0])
    await other.change(Action.CANCEL, ids[1:])

    for answer in answers:
        await raised(answer, TaskCancelledError)
    assert time.monotonic() - began < 5


async def test_a_failure_is_raised_with_its_code_and_message(scene: Scene, producer: EitherProducer) -> None:
    task = await claimed(scene, producer)
    answer = waiting(producer, task)
    await scene.worker.settle(failed(task, retryable=False))

    error = await raised(answer, TaskFailedError)

    assert (error.task_id, error.code, error.message, error.reason) == (
        task.task_id,
        "TASK_EXECUTION_FAILED",
        "it broke",
        "non_retryable",
    )


async def test_a_cancelled_task_is_said_to_be_cancelled(scene: Scene, producer: EitherProducer) -> None:
    task = await producer.enqueue("mail", wants_result=True, delay_seconds=60)
    await producer.cancel(task.task_id)

    error = await raised(producer.wait_for_result(task.task_id), TaskCancelledError)

    assert str(error) == f"task {task.task_id} was cancelled: cancelled while it waited"


async def test_a_task_that_takes_longer_goes_on(scene: Scene, producer: EitherProducer) -> None:
    task = await claimed(scene, producer)

    error = await raised(waiting(producer, task, seconds=0.1), ResultTimeoutError)
    await scene.worker.settle(completed(task, result="there"))

    assert (isinstance(error, TimeoutError), error.seconds) == (True, 0.1)
    assert await waiting(producer, task) == "there"


async def test_a_result_beyond_the_queues_limit_is_not_kept(scene: Scene, producer: EitherProducer) -> None:
    task, small = await claimed(scene, producer), await claimed(scene, producer)
    await scene.policy(max_result_bytes=10)
    await scene.worker.settle(completed(small, result="01234567"))
    await scene.worker.settle(completed(task, result="0123456789"))

    error = await raised(waiting(producer, task), ResultTooLargeError)

    assert error.size == 12
    assert await waiting(producer, small) == "01234567"
    assert (await producer.get_task(task.task_id)).result is None


async def test_nobody_waits_for_a_task_that_never_was(producer: EitherProducer) -> None:
    await raised(producer.wait_for_result(4711), TaskNotFoundError)


async def test_many_results_are_told_together(scene: Scene, database_url: str) -> None:
    from taskfleet import AsyncProducer, NewTask

    async with AsyncProducer(database_url, queue="orders", settings=QueueSettings(pool_size=8)) as producer:
        answers = await producer.enqueue_many([NewTask(kind="mail", payload=n, wants_result=True) for n in range(700)])
        waits = [asyncio.create_task(producer.wait_for_result(answer.task_id)) for answer in answers[:40]]
        claim = await scene.claim(await scene.session("mail", slots=1_000), "mail", limit=1_000)
        await scene.worker.settle(completed(*claim.tasks, result="ok"))
        listeners = await scene.value(_LISTENERS)
        given = await asyncio.gather(*waits)

    assert given == ["ok"] * 40
    assert listeners <= 1
