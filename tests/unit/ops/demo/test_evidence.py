from datetime import UTC, datetime, timedelta

from taskfleet.models import Task
from taskfleet.words import ErrorCode, Outcome, TaskState
from taskfleet_ops.demo.downstream.answers import AnswerCounts
from taskfleet_ops.demo.evidence import Tally, result_of
from taskfleet_ops.demo.glance import Glance, History
from taskfleet_ops.demo.result import DemoResult, GoneTasks, GoodTasks
from taskfleet_ops.demo.story import Story

START = datetime(2026, 3, 1, tzinfo=UTC)


def finished(state: TaskState, *, code: str | None = None, attempts: int = 1, waited: float | None = 5) -> Task:
    return Task(
        task_id=1,
        queue="episodes",
        kind="index",
        state=state,
        priority=None,
        payload=None,
        headers=None,
        group=None,
        entity=None,
        idempotency_key=None,
        attempt_count=attempts,
        max_attempts=3,
        created_at=START,
        run_at=None,
        last_attempt_at=None if waited is None else START + timedelta(seconds=waited),
        code=code,
    )


def test_tasks_are_counted_one_by_one() -> None:
    tally = Tally(goal_seconds=60)
    for task in (
        finished(TaskState.SUCCEEDED),
        finished(TaskState.SUCCEEDED, waited=60.5),
        finished(TaskState.FAILED, code=ErrorCode.ENTITY_NOT_FOUND),
        finished(TaskState.FAILED, code=ErrorCode.ENTITY_NOT_FOUND, attempts=2, waited=99),
        finished(TaskState.FAILED, code=ErrorCode.EXECUTION_FAILED, attempts=3),
        finished(TaskState.CANCELLED, waited=None),
    ):
        tally.add(task)

    assert (tally.finished, tally.succeeded, tally.late, tally.gone_attempts) == (6, 2, 2, 2)
    assert tally.failed_by_code == {"TASK_ENTITY_NOT_FOUND": 2, "TASK_EXECUTION_FAILED": 1, "": 1}


def test_the_result_puts_tasks_answers_and_fleet_together() -> None:
    tally = Tally(goal_seconds=60)
    for _ in range(3):
        tally.add(finished(TaskState.SUCCEEDED))
    tally.add(finished(TaskState.FAILED, code=ErrorCode.ENTITY_NOT_FOUND))
    history = History()
    history.add(Glance(seconds=1, workers=2))
    cut = {(Outcome.RELEASED.value, ErrorCode.SHUTDOWN.value): 1, (Outcome.RETRIED.value, ErrorCode.LEASE_EXPIRED.value): 2}
    history.add(Glance(seconds=4.06, outcomes=cut))
    answers = AnswerCounts(good_answers=4, good_tasks=3, duplicates=1, gone_answers=1, overload_answers=2)

    actual = result_of(tally, answers=answers, history=history, scale_actions=2, story=Story(tasks=6))

    assert actual == DemoResult(
        good=GoodTasks(total=3, succeeded=3, duplicates=1),
        gone=GoneTasks(total=3, failed=1, max_attempts_used=1, distinct_entities=3),
        lost=2,
        killed=3,
        late=0,
        calls_for_good=4,
        calls_for_gone=1,
        overload_answers=2,
        peak_workers=2,
        final_workers=0,
        scale_actions=2,
        pod_seconds=6.1,
        seconds=4.1,
    )
