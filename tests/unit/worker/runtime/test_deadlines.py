"""One timer for the time-outs of all running jobs."""

import asyncio

import pytest

from taskfleet_worker.context import Context
from taskfleet_worker.runtime.calls import Job
from taskfleet_worker.runtime.deadlines import Deadlines
from tests.support.workers import claimed_task


class Bench:
    """Running jobs and those whose time was over, by task id, on a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.running: dict[int, Job] = {}
        self.over: list[int] = []
        self.deadlines = Deadlines(self.running.values, lambda job: self.over.append(job.task.task_id), clock=lambda: self.now)

    def start(self, task_id: int, *, timeout_seconds: float | None) -> None:
        task = claimed_task(task_id, timeout_seconds=timeout_seconds)
        job = self.running[task_id] = Job(task, Context(task), started=self.now)
        self.deadlines.started(job)


async def told(bench: Bench, count: int) -> list[int]:
    async with asyncio.timeout(5):
        while len(bench.over) < count:
            await asyncio.sleep(0)
    return bench.over


async def test_a_job_is_told_once_when_its_time_is_over() -> None:
    bench = Bench()
    bench.start(1, timeout_seconds=0.001)
    bench.now = 0.002

    assert await told(bench, 1) == [1]
    await asyncio.sleep(0.002)
    assert bench.over == [1]


async def test_jobs_are_told_in_the_order_of_their_deadlines_not_of_their_starts() -> None:
    bench = Bench()
    bench.start(1, timeout_seconds=0.02)
    bench.start(2, timeout_seconds=0.001)
    bench.now = 0.001
    first = list(await told(bench, 1))
    bench.now = 0.02

    assert (first, await told(bench, 2)) == ([2], [2, 1])


async def test_a_job_that_has_ended_is_not_told() -> None:
    bench = Bench()
    bench.start(1, timeout_seconds=0.001)
    bench.start(2, timeout_seconds=0.003)
    del bench.running[1]
    bench.now = 0.003

    assert await told(bench, 1) == [2]


@pytest.mark.parametrize("timeouts", [[None], [100.0, 100.0]])
async def test_jobs_far_from_their_deadline_share_a_timer(timeouts: list[float | None]) -> None:
    bench = Bench()
    before = len(asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]
    for task_id, timeout_seconds in enumerate(timeouts):
        bench.start(task_id, timeout_seconds=timeout_seconds)

    assert len(asyncio.get_running_loop()._scheduled) - before == len(timeouts) - 1  # type: ignore[attr-defined]
