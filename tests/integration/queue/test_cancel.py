"""Cancelling, wherever a task is; and against whoever is at it in the same moment."""

from collections.abc import Sequence
from typing import Any

import pytest

from taskfleet import AsyncProducer, Changed, ChangeOutcome, TaskNotFoundError, TaskState
from taskfleet.maintenance import run_once
from taskfleet.models import HeartbeatAnswer
from taskfleet.words import DeadReason, ErrorCode
from tests.integration.queue.races import left_open, met
from tests.integration.queue.scene import QUEUE, Scene, completed, failed, ids, released

pytestmark = pytest.mark.requirement("B8")

CANCEL = "SELECT FROM taskfleet.cancel_v1(%s)"


async def cancel(scene: Scene, *task_ids: int) -> Sequence[Changed]:
    async with AsyncProducer(scene.database.url, queue=QUEUE) as producer:
        return [await producer.cancel(task_id) for task_id in task_ids]


async def test_a_waiting_task_is_cancelled_at_once(scene: Scene) -> None:
    (task_id,) = await scene.fill(
        1, key="order", group="g", headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    )

    (changed,) = await cancel(scene, task_id)

    task = await scene.reader.get_task(task_id)
    assert (changed.outcome, changed.state, changed.done) == (ChangeOutcome.CANCELLED, TaskState.CANCELLED, True)
    assert (task.state, task.dead_reason, task.code) == (TaskState.CANCELLED, DeadReason.CANCELLED, ErrorCode.CANCELLED)
    assert (task.group, task.trace_id) == ("g", "0af7651916cd43dd8448eb211c80319c")
    assert await scene.count("idempotency_keys") == 0
    assert await scene.outcomes() == {("enqueued", ""): 1, ("cancelled", "TASK_CANCELLED"): 1}
    assert await scene.faults() == []


async def test_a_running_task_is_told_to_its_worker_and_ends_as_cancelled(scene: Scene) -> None:
    (task,) = await scene.claimed()

    (changed,) = await cancel(scene, task.task_id)
    heard = await scene.worker.heartbeat(scene.sessions[0], held=[task.lease])
    await scene.worker.settle(failed(task, code=ErrorCode.CANCELLED, retryable=False))

    seen = await scene.reader.get_task(task.task_id)
    assert (changed.outcome, changed.state) == (ChangeOutcome.CANCEL_REQUESTED, TaskState.RUNNING)
    assert heard == HeartbeatAnswer(cancelled=(task.task_id,))
    assert (seen.state, seen.dead_reason) == (TaskState.CANCELLED, DeadReason.CANCELLED)
    assert await scene.count("cancel_requests") == 0
    assert await scene.faults() == []


@pytest.mark.parametrize("ending", [failed, released], ids=["failed", "given back"])
async def test_what_would_wait_again_is_cancelled_instead(scene: Scene, ending: Any) -> None:
    (task,) = await scene.claimed(key="k")
    await cancel(scene, task.task_id)

    settled = await scene.worker.settle(ending(task))

    seen = await scene.reader.get_task(task.task_id)
    assert settled.finished == (task.task_id,)
    assert (seen.state, seen.code) == (TaskState.CANCELLED, ErrorCode.CANCELLED)
    assert (await scene.count("ready"), await scene.count("cancel_requests"), await scene.count("idempotency_keys")) == (0, 0, 0)
    assert await scene.faults() == []


async def test_what_its_worker_never_heard_is_cancelled_when_the_worker_is_lost(scene: Scene) -> None:
    (task,) = await scene.claimed()
    await cancel(scene, task.task_id)
    await scene.expire_session(scene.sessions[0])

    await run_once(scene.database, ["recover_leases"])

    assert (await scene.reader.get_task(task.task_id)).state is TaskState.CANCELLED
    assert await scene.faults() == []


async def test_what_finishes_first_has_finished(scene: Scene) -> None:
    good, bad = await scene.claimed(2)
    await cancel(scene, good.task_id, bad.task_id)
    await scene.worker.settle(completed(good))
    await scene.worker.settle(failed(bad, retryable=False))

    again = await cancel(scene, good.task_id, bad.task_id)
    await run_once(scene.database, ["carry_out_requests"])

    assert [(changed.outcome, changed.state) for changed in again] == [
        (ChangeOutcome.WRONG_STATE, TaskState.SUCCEEDED),
        (ChangeOutcome.WRONG_STATE, TaskState.FAILED),
    ]
    assert not again[0].done
    assert await scene.count("cancel_requests") == 0
    assert await scene.faults() == []


async def test_a_task_that_never_was_is_not_found(scene: Scene) -> None:
    with pytest.raises(TaskNotFoundError, match="there is no task 4711"):
        await cancel(scene, 4711)


async def test_a_request_that_came_too_late_for_the_attempt_is_carried_out_while_the_task_waits(scene: Scene) -> None:
    (task,) = await scene.claimed()
    async with left_open(scene, CANCEL, [task.task_id]):
        settled = await scene.worker.settle(released(task))

    await run_once(scene.database, ["carry_out_requests"])

    assert settled.retried == (task.task_id,)
    assert (await scene.reader.get_task(task.task_id)).state is TaskState.CANCELLED
    assert await scene.faults() == []


async def test_cancelling_waits_for_a_claim_that_is_under_way(scene: Scene) -> None:
    (task_id,) = await scene.fill()
    session = await scene.session()

    (changed,) = await met(scene, cancel(scene, task_id), "SELECT FROM taskfleet.claim_v1(%s, ARRAY['send'], 1)", session)

    assert (changed.outcome, changed.state) == (ChangeOutcome.CANCEL_REQUESTED, TaskState.RUNNING)
    assert await scene.faults() == []


async def test_a_claim_passes_over_what_is_being_cancelled(scene: Scene) -> None:
    first, second = await scene.fill(2)
    async with left_open(scene, CANCEL, [first]) as other:
        claim = await scene.claim(await scene.session())
        await other.rollback()
    later = await scene.claim(scene.sessions[0])

    assert (ids(claim.tasks), ids(later.tasks)) == ([second], [first])
    assert await scene.faults() == []


async def test_cancelling_does_not_hold_up_a_completion(scene: Scene) -> None:
    (task,) = await scene.claimed()
    async with left_open(scene, CANCEL, [task.task_id]):
        settled = await scene.worker.settle(completed(task))
    await run_once(scene.database, ["carry_out_requests"])

    assert settled.finished == (task.task_id,)
    assert await scene.count("cancel_requests") == 0
    assert await scene.faults() == []


async def test_cancelling_twice_at_once_makes_one_dead_letter(scene: Scene) -> None:
    (task_id,) = await scene.fill()

    (changed,) = await met(scene, cancel(scene, task_id), CANCEL, [task_id])

    assert (changed.outcome, changed.state) == (ChangeOutcome.WRONG_STATE, TaskState.CANCELLED)
    assert await scene.count("dead_letters") == 1
    assert await scene.faults() == []


@pytest.mark.requirement("B2")
@pytest.mark.parametrize("ending", [completed, failed, released], ids=["complete", "fail", "release"])
async def test_a_lease_that_is_written_to_while_it_is_ended_does_not_survive(scene: Scene, ending: Any) -> None:
    (task,) = await scene.claimed()

    update = "UPDATE taskfleet.leases SET deadline_at = deadline_at WHERE task_id = %s"
    await met(scene, scene.worker.settle(ending(task)), update, task.task_id)

    assert await scene.count("leases") == 0
    assert await scene.faults() == []
