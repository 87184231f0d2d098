"""The testing kit: a worker in this process over a real database."""

from collections.abc import Iterator

import pytest

from taskfleet.errors import SchemaError
from taskfleet.words import TaskState
from taskfleet_worker import Context, Tasks
from taskfleet_worker.testing import RunningWorker


def handlers() -> Tasks:
    tasks = Tasks()

    @tasks.task("double")
    async def double(number: int) -> int:
        return 2 * number

    @tasks.task("flaky")
    def flaky(payload: object, context: Context) -> int:
        if context.attempt < 3:
            raise ValueError("not yet")
        return context.attempt

    @tasks.task("postponed")
    async def postponed() -> None: ...

    return tasks


@pytest.fixture
def worker(database_url: str) -> Iterator[RunningWorker]:
    with RunningWorker(handlers(), database_url) as worker:
        yield worker


def test_a_task_runs_as_in_production_and_its_result_is_there(worker: RunningWorker) -> None:
    task = worker.run("double", 21)

    assert (task.state, task.result) == (TaskState.SUCCEEDED, 42)


def test_attempts_follow_each_other_at_once(worker: RunningWorker) -> None:
    task = worker.run("flaky", {}, within=20.0)

    assert (task.state, task.result, task.attempt_count) == (TaskState.SUCCEEDED, 3, 3)


def test_a_bad_payload_is_a_failed_task(worker: RunningWorker) -> None:
    task = worker.run("double", "many")

    assert (task.state, task.code) == (TaskState.FAILED, "TASK_PAYLOAD_INVALID")


def test_a_task_that_is_not_finished_in_time_is_named(worker: RunningWorker) -> None:
    with pytest.raises(TimeoutError, match=r"\(postponed\) is scheduled after 0.05 s, attempt 0"):
        worker.run("postponed", within=0.05, delay_seconds=3600)


def test_a_worker_that_cannot_start_says_why(empty_database_url: str) -> None:
    with pytest.raises(SchemaError, match="migrate up"), RunningWorker(handlers(), empty_database_url):
        pass
