"""Trying dead letters again, also when somebody else is at them in the same moment."""

from collections.abc import Sequence

import pytest

from taskfleet import AsyncProducer, Changed, ChangeOutcome, TaskNotFoundError, TaskState
from tests.integration.queue.races import met
from tests.integration.queue.scene import QUEUE, Scene, completed, failed, ids

pytestmark = pytest.mark.requirement("C3", "E9")

RETRY = "SELECT FROM taskfleet.retry_v1(%s)"


async def retry(scene: Scene, *task_ids: int) -> Sequence[Changed]:
    async with AsyncProducer(scene.database.url, queue=QUEUE) as producer:
        return await producer.retry_many(task_ids)


async def dead(scene: Scene, count: int = 1, **values: object) -> list[int]:
    tasks = await scene.claimed(count, **values)
    await scene.worker.settle(failed(*tasks, retryable=False))
    return sorted(ids(tasks))


async def test_a_dead_letter_waits_again_as_if_it_were_new(scene: Scene) -> None:
    (task_id,) = await dead(scene, age=90_000, group="g", priority=3)

    (changed,) = await retry(scene, task_id)

    task = await scene.reader.get_task(task_id)
    assert changed == Changed(task_id=task_id, outcome=ChangeOutcome.RETRIED, state=TaskState.READY)
    assert (task.state, task.attempt_count, task.priority, task.payload) == (TaskState.READY, 0, 3, {"number": 1})
    assert [attempt.attempt for attempt in task.attempts] == [1]
    assert await scene.value("SELECT due_since = run_at AND run_at > now() - interval '1 minute' FROM taskfleet.ready")
    assert await scene.faults() == []


async def test_many_are_answered_one_by_one_in_the_order_asked(scene: Scene) -> None:
    good, bad = await scene.claimed(2)
    await scene.worker.settle(completed(good))
    await scene.worker.settle(failed(bad, retryable=False))
    (waiting,) = await scene.fill()

    changes = await retry(scene, waiting, bad.task_id, 4711, good.task_id)

    assert [(changed.task_id, changed.outcome, changed.state) for changed in changes] == [
        (waiting, ChangeOutcome.WRONG_STATE, TaskState.READY),
        (bad.task_id, ChangeOutcome.RETRIED, TaskState.READY),
        (4711, ChangeOutcome.NOT_FOUND, None),
        (good.task_id, ChangeOutcome.WRONG_STATE, TaskState.SUCCEEDED),
    ]
    assert await scene.faults() == []


async def test_one_that_is_not_there_is_an_error_of_its_own(scene: Scene) -> None:
    async with AsyncProducer(scene.database.url, queue=QUEUE) as producer:
        with pytest.raises(TaskNotFoundError):
            await producer.retry(4711)


async def test_a_key_that_another_task_holds_leaves_the_dead_letter_as_it_was(scene: Scene) -> None:
    (task_id,) = await dead(scene, key="order-")
    (other,) = await dead(scene)
    async with AsyncProducer(scene.database.url, queue=QUEUE) as producer:
        holder = await producer.enqueue("send", idempotency_key="order-1")

    first, second = await retry(scene, task_id, other)

    assert first == Changed(task_id=task_id, outcome=ChangeOutcome.IDEMPOTENCY_CONFLICT, state=TaskState.FAILED, holder_id=holder.task_id)
    assert second.outcome is ChangeOutcome.RETRIED
    assert (await scene.reader.get_task(task_id)).code == "TASK_EXECUTION_FAILED"
    assert await scene.faults() == []


async def test_of_two_dead_letters_with_one_key_the_first_waits_again(scene: Scene) -> None:
    (first,) = await dead(scene, key="order-")
    (second,) = await dead(scene, key="order-")

    changes = await retry(scene, first, second)

    assert [(changed.outcome, changed.holder_id) for changed in changes] == [
        (ChangeOutcome.RETRIED, None),
        (ChangeOutcome.IDEMPOTENCY_CONFLICT, first),
    ]
    assert await scene.faults() == []


@pytest.mark.requirement("B7")
async def test_retry_waits_for_an_enqueue_with_its_key_that_is_not_committed_yet(scene: Scene) -> None:
    (task_id,) = await dead(scene, key="order-")
    (holder,) = await scene.fill()
    taken = "INSERT INTO taskfleet.idempotency_keys (kind_id, key, task_id) SELECT id, 'order-1', %s FROM taskfleet.kinds"

    (changed,) = await met(scene, retry(scene, task_id), taken, holder)

    assert (changed.outcome, changed.holder_id) == (ChangeOutcome.IDEMPOTENCY_CONFLICT, holder)
    assert (await scene.reader.get_task(task_id)).state is TaskState.FAILED
    assert await scene.faults() == []


@pytest.mark.requirement("B7")
async def test_an_enqueue_waits_for_a_retry_with_its_key(scene: Scene) -> None:
    (task_id,) = await dead(scene, key="order-")
    async with AsyncProducer(scene.database.url, queue=QUEUE) as producer:
        answer = await met(scene, producer.enqueue("send", idempotency_key="order-1"), RETRY, [task_id])

    assert (answer.task_id, answer.duplicate) == (task_id, True)
    assert await scene.faults() == []


async def test_two_retries_at_once_store_one_task(scene: Scene) -> None:
    (task_id,) = await dead(scene)

    (changed,) = await met(scene, retry(scene, task_id), RETRY, [task_id])

    assert (changed.outcome, changed.state) == (ChangeOutcome.WRONG_STATE, TaskState.READY)
    assert await scene.count("ready") == 1
    assert await scene.faults() == []
