"""What people look at."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from taskfleet.errors import TaskNotFoundError
from taskfleet.models import KindPolicy
from taskfleet.reports import Attention, CodeCount, KindStats
from taskfleet.words import ErrorCode, TaskState
from tests.integration.queue.scene import QUEUE, Scene, completed, failed, ids, released


async def one_of_each(scene: Scene) -> dict[TaskState, list[int]]:
    """Two tasks in every state that the queue knows."""
    found = {state: await scene.fill(2, group="shop") for state in (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.RUNNING)}
    tasks = (await scene.claim(await scene.session(), limit=6)).tasks
    await scene.worker.settle(completed(*tasks[:2]))
    await scene.worker.settle(failed(*tasks[2:4], code=ErrorCode.PAYLOAD_INVALID, retryable=False))
    found[TaskState.READY] = await scene.fill(2, group="shop")
    found[TaskState.SCHEDULED] = await scene.fill(2, group="shop", age=-60)
    return found


@pytest.mark.requirement("C4")
async def test_tasks_are_listed_by_state_highest_id_first(scene: Scene) -> None:
    made = await one_of_each(scene)

    listed = {state: [task.task_id for task in await scene.reader.list_tasks(QUEUE, state=state)] for state in TaskState}

    assert listed == {state: sorted(made.get(state, []), reverse=True) for state in TaskState}


async def test_listed_tasks_say_their_state(scene: Scene) -> None:
    await one_of_each(scene)

    said = {state: {task.state for task in await scene.reader.list_tasks(QUEUE, state=state)} for state in TaskState}

    assert all(states <= {state} for state, states in said.items())


async def test_pages_follow_each_other(scene: Scene) -> None:
    made = await scene.fill(7)
    pages, after = [], None
    for _ in range(4):
        page = [task.task_id for task in await scene.reader.list_tasks(QUEUE, state=TaskState.READY, limit=3, after=after)]
        pages.append(page)
        after = page[-1] if page else after

    assert pages == [made[:3:-1], made[3:0:-1], made[0:1], []]


async def test_lists_can_be_narrowed_to_a_kind_and_a_group(scene: Scene) -> None:
    await scene.fill(2, kind="send", group="shop")
    await scene.fill(2, kind="resize", group="shop")
    (wanted,) = await scene.fill(1, kind="resize", group="farm")

    found = await scene.reader.list_tasks(QUEUE, state=TaskState.READY, kind="resize", group="farm")

    assert [task.task_id for task in found] == [wanted]


async def test_running_task_names_its_worker(scene: Scene) -> None:
    await scene.claimed()

    (task,) = await scene.reader.list_tasks(QUEUE, state=TaskState.RUNNING)

    assert (task.worker, task.lease_expires_at is not None) == ("worker-1", True)


async def test_unknown_task_is_a_clear_error(scene: Scene) -> None:
    with pytest.raises(TaskNotFoundError, match="there is no task 4711"):
        await scene.reader.get_task(4711)


@pytest.mark.requirement("D5", "C3")
async def test_statistics_count_every_state_by_kind(scene: Scene) -> None:
    await one_of_each(scene)
    await scene.fill(3, kind="resize")

    stats = await scene.reader.stats(QUEUE)

    assert stats.kinds == (
        KindStats(queue=QUEUE, kind="resize", ready=3, created_last_day=3),
        KindStats(queue=QUEUE, kind="send", scheduled=2, ready=2, running=2, succeeded=2, failed=2, created_last_day=10),
    )
    assert stats.kinds[1].total == 10
    assert stats.failed_by_code == (CodeCount(code="TASK_PAYLOAD_INVALID", count=2),)


async def test_statistics_of_all_queues_name_the_queue(scene: Scene) -> None:
    await scene.fill()
    await Scene(database=scene.database, queue="other").fill()

    stats = await scene.reader.stats(None)

    assert [(kind.queue, kind.ready) for kind in stats.kinds] == [(QUEUE, 1), ("other", 1)]
    assert await scene.reader.queues() == (QUEUE, "other")


@pytest.mark.requirement("D5")
async def test_attention_goes_to_what_waits_or_runs_too_long(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", timeout_seconds=30), wait_goal_seconds=60)
    await scene.claimed(2, age=5)
    await scene.rows("UPDATE taskfleet.leases SET deadline_at = now(), started_at = now() - interval '31 seconds'")
    await scene.fill(3, age=200)
    await scene.fill(5, age=5)

    attention = (await scene.reader.stats(QUEUE)).attention

    assert [replace(item, oldest_seconds=0) for item in attention] == [
        Attention(queue=QUEUE, kind="send", what="overdue_waiting", count=3, oldest_seconds=0),
        Attention(queue=QUEUE, kind="send", what="overdue_running", count=2, oldest_seconds=0),
    ]
    # Of what waits, the age of its bucket: above that of its oldest task by a third at most. Of what runs, its own.
    waiting, running = (item.oldest_seconds for item in attention)
    assert 200 <= waiting <= 200 * 4 / 3 + 10
    assert running == pytest.approx(31, abs=10)


@pytest.mark.requirement("A11")
async def test_trend_has_a_row_for_every_minute(scene: Scene) -> None:
    good, bad, later = await scene.claimed(3)
    await scene.worker.settle(completed(good))
    await scene.worker.settle(failed(bad))
    await scene.worker.settle(released(later))
    await scene.rows("UPDATE taskfleet.outcome_ledger SET minute = minute - interval '3 minutes' WHERE outcome = 'succeeded'")

    trend = await scene.reader.trend(QUEUE, minutes=10)

    assert len(trend) == 10
    assert trend[-1].minute == datetime.now(UTC).replace(second=0, microsecond=0)
    assert [(minute.succeeded, minute.retried, minute.released, minute.enqueued) for minute in trend] == [
        (0, 0, 0, 0) if number not in {6, 9} else (1, 0, 0, 0) if number == 6 else (0, 1, 1, 3) for number in range(10)
    ]
    assert trend[-1].codes == {"TASK_EXECUTION_FAILED": 1, "TASK_OVERLOADED": 1}


@pytest.mark.requirement("A11")
async def test_report_tells_attempts_per_task(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", min_backoff_seconds=0, max_backoff_seconds=0))
    tasks = await scene.claimed(4)
    await scene.worker.settle(failed(*tasks[:2]))
    again = (await scene.claim(scene.sessions[0])).tasks
    await scene.worker.settle(completed(*tasks[2:], *again))

    report = await scene.reader.report(QUEUE)

    assert sorted(ids(again)) == ids(tasks[:2])
    assert (report.enqueued, report.finished, report.attempts, report.attempts_per_task) == (4, 4, 6, 1.5)
    assert report.first_minute is not None
    assert report.last_minute is not None
    assert report.busy_seconds > 0


async def test_report_of_a_queue_without_work_is_empty(scene: Scene) -> None:
    report = await scene.reader.report("nowhere")

    assert (report.outcomes, report.attempts_per_task, report.first_minute) == ((), 0.0, None)


async def test_the_load_is_read_in_pages_oldest_id_first(scene: Scene) -> None:
    made = await scene.fill(5)
    await scene.fill(1, kind="resize")
    claimed = (await scene.claim(await scene.session(), limit=6)).tasks
    await scene.worker.settle(completed(*claimed[:4]))

    pages = [page async for page in scene.reader.trace(QUEUE, page=3)]
    tasks = [task for page in pages for task in page]

    assert [len(page) for page in pages] == [3, 1]
    assert [task.task_id for task in tasks] == made[:4]
    assert all(task.service_seconds >= 0 for task in tasks)
    assert {task.kind for task in tasks} == {"send"}
