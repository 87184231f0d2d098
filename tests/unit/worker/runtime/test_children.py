"""CPU-bound handlers in real child processes; what becomes of a child is what becomes of one call, and of no other."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from taskfleet.models import Completion, Failure, LeaseNote, Release
from taskfleet.words import ErrorCode
from taskfleet_worker.rules.endings import Ending
from taskfleet_worker.testing import run_batch, run_handler
from tests.support.cpu_handlers import tasks
from tests.support.waiting import eventually
from tests.support.workers import claimed_task
from tests.unit.worker.runtime.test_jobs import Workshop


@pytest.fixture
async def workshop() -> AsyncIterator[Workshop]:
    workshop = Workshop(tasks)
    yield workshop
    await workshop.jobs.close()


def failure_of(ending: Ending) -> Failure:
    assert isinstance(ending.record, Failure)
    return ending.record


@pytest.mark.requirement("B1")
async def test_a_handler_computes_in_a_process_that_is_kept_for_the_next_call(workshop: Workshop) -> None:
    first = await workshop.ending_of(claimed_task(1, kind="sum", payload={"numbers": [1, 2]}))
    second = await workshop.ending_of(claimed_task(2, kind="sum", payload={"numbers": [3]}))

    results = [ending.record.result for ending in (first, second) if isinstance(ending.record, Completion)]
    pids = {result["pid"] for result in results}  # type: ignore[index]
    assert [(result["sum"], result["task"]) for result in results] == [(3, 1), (3, 2)]  # type: ignore[index]
    assert len(pids) == 1
    assert os.getpid() not in pids


async def test_what_is_raised_in_the_process_means_the_same_as_anywhere() -> None:
    gone = await run_handler(tasks, "say", "gone")
    busy = await run_handler(tasks, "say", "busy")
    broken = await run_handler(tasks, "say", "it broke")

    assert isinstance(gone, Failure)
    assert (gone.code, gone.missing_entity) == (ErrorCode.ENTITY_NOT_FOUND, "reader 7")
    assert isinstance(busy, Release)
    assert busy.delay_seconds == 4
    assert isinstance(broken, Failure)
    assert (broken.retryable, broken.message) == (True, "ValueError: it broke")
    assert "in say" in str(broken.stack)


@pytest.mark.parametrize(("what", "message"), [("exit", "SystemExit: 3"), ("unpicklable", "pickle")], ids=["exit", "unpicklable"])
async def test_what_cannot_cross_over_is_an_error_of_its_call(what: str, message: str) -> None:
    told = await run_handler(tasks, "say", what)

    assert isinstance(told, Failure)
    assert message in told.message


@pytest.mark.requirement("E10")
@pytest.mark.parametrize(
    ("how", "message"),
    [("SIGKILL", "was ended by SIGKILL, perhaps since memory ran out"), ("SIGABRT", "was ended by SIGABRT"), ("exit", "exit code 7")],
    ids=["killed", "crashed", "left"],
)
async def test_a_killed_child_fails_its_own_call_and_no_other(workshop: Workshop, how: str, message: str) -> None:
    workshop.jobs.start([claimed_task(1, kind="die", payload=how), claimed_task(2, kind="sum", payload={"numbers": [2]})])
    assert await workshop.jobs.finished(within=30.0)
    endings = {ending.task.task_id: ending for ending in workshop.outbox.take(10)}
    workshop.outbox.answered()
    later = await workshop.ending_of(claimed_task(3, kind="sum", payload={"numbers": [3]}))

    died = failure_of(endings[1])
    assert (died.code, died.retryable) == (ErrorCode.EXECUTION_FAILED, True)
    assert message in died.message
    assert [type(ending.record) for ending in (endings[2], later)] == [Completion, Completion]


async def test_a_child_that_died_while_idle_costs_no_task(workshop: Workshop) -> None:
    first = await workshop.ending_of(claimed_task(1, kind="sum", payload={"numbers": [1]}))
    assert isinstance(first.record, Completion)
    pid = first.record.result["pid"]  # type: ignore[index]
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not psutil.pid_exists(pid))
    second = await workshop.ending_of(claimed_task(2, kind="sum", payload={"numbers": [2]}))

    assert isinstance(second.record, Completion)


async def test_a_time_out_ends_the_process_and_frees_the_slot(workshop: Workshop, tmp_path: Path) -> None:
    witness = tmp_path / "pid"
    workshop.jobs.start([claimed_task(1, kind="hang", payload=str(witness))])
    await eventually(lambda: witness.exists() and witness.read_text(), within=30.0)
    pid = int(witness.read_text())
    workshop.jobs.stop_cancelled([claimed_task(1).lease])
    await eventually(lambda: workshop.slots.taken == 0)

    (ending,) = workshop.outbox.take(10)
    assert failure_of(ending).code is ErrorCode.CANCELLED
    assert not psutil.pid_exists(pid)
    assert workshop.jobs.lingering == 0


async def test_a_call_that_is_stopped_before_its_child_is_up_leaves_the_child_to_the_next(workshop: Workshop) -> None:
    stopped = await workshop.ending_of(claimed_task(1, kind="sum", payload={"numbers": [1]}, timeout_seconds=0.0001))
    await asyncio.sleep(0)
    after = await workshop.ending_of(claimed_task(2, kind="sum", payload={"numbers": [2]}))

    assert failure_of(stopped).code is ErrorCode.TIMED_OUT
    assert isinstance(after.record, Completion)


async def test_a_batch_may_compute_in_a_process() -> None:
    records = await run_batch(tasks, "squares", [2, -1, 3])

    assert [record.result if isinstance(record, Completion) else type(record) for record in records] == [4, Failure, 9]


async def test_what_a_handler_says_in_its_process_reaches_the_worker_before_its_end(
    monkeypatch: pytest.MonkeyPatch, workshop: Workshop
) -> None:
    said: list[LeaseNote] = []
    monkeypatch.setattr(workshop.notes, "add", said.append)
    ending = await workshop.ending_of(claimed_task(1, kind="speak", payload=2))

    assert isinstance(ending.record, Completion)
    assert [note.progress or note.longer_seconds for note in said] == [{"share": 0.5}, {"share": 1.0}, 60.0]
