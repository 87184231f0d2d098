"""Tasks that have a slot and have not begun."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from taskfleet.models import ClaimedTask, Completion, Failure, Release
from taskfleet.words import ErrorCode
from taskfleet_worker import Context, Tasks
from taskfleet_worker.rules.endings import Ending, StopReason
from taskfleet_worker.runtime.hands import TURN_SECONDS
from taskfleet_worker.runtime.worker import Exit, Worker
from tests.support.fake_worker_store import FakeWorkerStore
from tests.support.workers import SETTINGS, claimed_task
from tests.unit.worker.runtime.test_jobs import Workshop

THREE = [claimed_task(number) for number in (1, 2, 3)]


def counting() -> tuple[Tasks, list[int]]:
    """A handler that never waits, and the tasks that it began."""
    tasks, begun = Tasks(), list[int]()

    @tasks.task("mail")
    async def mail(payload: object, context: Context) -> None:
        begun.append(context.task_id)

    return tasks, begun


async def endings_of(workshop: Workshop, tasks: Sequence[ClaimedTask]) -> Sequence[Ending]:
    workshop.jobs.start(tasks)
    assert await workshop.jobs.finished(within=5.0)
    return workshop.outbox.take(len(tasks))


async def test_what_waits_for_its_turn_has_a_slot_and_a_lease_to_renew() -> None:
    tasks, begun = counting()
    workshop = Workshop(tasks)
    workshop.jobs.start(THREE)
    during = (list(begun), workshop.slots.taken, workshop.jobs.running, set(workshop.jobs.leases()))
    await workshop.jobs.finished(within=5.0)

    assert during == ([], 3, 3, {task.lease for task in THREE})
    assert (begun, workshop.slots.taken, workshop.jobs.running) == ([1, 2, 3], 0, 0)


async def test_a_lost_lease_takes_its_task_out_of_the_line() -> None:
    tasks, begun = counting()
    workshop = Workshop(tasks)
    workshop.jobs.start(THREE)
    workshop.jobs.stop_lost([THREE[1].lease])
    await workshop.jobs.finished(within=5.0)

    assert (begun, workshop.lost, workshop.slots.taken, len(workshop.outbox)) == ([1, 3], [2], 0, 2)


@pytest.mark.requirement("B3")
async def test_going_down_gives_back_what_has_not_begun() -> None:
    tasks, begun = counting()
    workshop = Workshop(tasks)
    workshop.jobs.start(THREE)
    workshop.jobs.stop_all(StopReason.SHUTDOWN)

    assert await workshop.jobs.finished(within=5.0)
    assert [ending.record for ending in workshop.outbox.take(5)] == [Release(lease=task.lease, code=ErrorCode.SHUTDOWN) for task in THREE]
    assert (begun, workshop.slots.taken) == ([], 0)


async def test_the_time_of_a_task_runs_from_its_turn() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            pass

    endings = await endings_of(Workshop(tasks), [task._replace(timeout_seconds=0.04) for task in THREE])

    assert all(isinstance(ending.record, Completion) for ending in endings)
    assert sum(ending.seconds for ending in endings) < 3 * endings[0].seconds + 0.04


async def test_a_handler_that_outlives_its_time_in_its_first_step_is_stopped_where_it_waits() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            pass
        await asyncio.sleep(60)

    (ending,) = await endings_of(Workshop(tasks), [claimed_task(timeout_seconds=0.01)])

    assert isinstance(ending.record, Failure)
    assert ending.record.code is ErrorCode.TIMED_OUT


async def test_a_batch_takes_what_waits_of_its_kind_and_leaves_the_others_in_their_order() -> None:
    tasks, seen = Tasks(), list[object]()

    @tasks.batch("mail", size=3)
    async def mail(_payloads: list[object], contexts: list[Context]) -> None:
        seen.append([context.task_id for context in contexts])

    @tasks.task("call")
    async def call(_payload: object, context: Context) -> None:
        seen.append(context.task_id)

    kinds = ["mail", "call", "mail", "call", "mail", "mail"]
    await endings_of(Workshop(tasks, slots=6), [claimed_task(number, kind=kind) for number, kind in enumerate(kinds, start=1)])

    assert seen == [[1, 3, 5], 2, 4, [6]]


@pytest.mark.requirement("E10")
async def test_whose_handler_has_the_loop_is_known_in_its_first_step_and_after_it_waited() -> None:
    tasks, workshops, named = Tasks(), list[Workshop](), list[ClaimedTask | None]()

    @tasks.task("mail")
    async def mail() -> None:
        named.append(workshops[0].jobs.task_of(asyncio.current_task()))
        await asyncio.sleep(0)
        named.append(workshops[0].jobs.task_of(asyncio.current_task()))

    workshops.append(Workshop(tasks))
    await endings_of(workshops[0], THREE[:1])

    assert named == [THREE[0], THREE[0]]
    assert workshops[0].jobs.task_of(asyncio.current_task()) is None


async def test_a_batch_of_which_nothing_fits_is_not_called() -> None:
    tasks, called = Tasks(), list[int]()

    @tasks.batch("mail", size=3)
    async def mail(_payloads: list[dict[str, object]]) -> None:
        called.append(1)

    workshop = Workshop(tasks)
    endings = await endings_of(workshop, [task._replace(payload="text") for task in THREE])

    assert [ending.ran for ending in endings] == [False] * 3
    assert (called, workshop.slots.taken) == ([], 0)


async def test_a_type_that_raises_what_nobody_expects_fails_its_task_alone() -> None:
    tasks = Tasks()

    @dataclass
    class Letter:
        parts: int

        def __post_init__(self) -> None:
            self.share = 1 / self.parts

    @tasks.task("mail", payload=Letter)
    async def mail(_payload: Letter) -> None: ...

    endings = await endings_of(Workshop(tasks), [claimed_task(1, payload={"parts": 0}), claimed_task(2, payload={"parts": 1})])

    assert [type(ending.record) for ending in endings] == [Failure, Completion]


async def test_slots_are_told_to_be_free_once_for_all_calls_of_a_turn() -> None:
    tasks, _ = counting()
    workshop = Workshop(tasks)
    workshop.jobs.start(THREE)
    # The own limit of the kind tells of each start, so that somebody knows when the next may be.
    before = workshop.news
    await workshop.jobs.finished(within=5.0)

    assert (before, workshop.news) == (0, 4)


@pytest.mark.requirement("E3")
async def test_a_worker_told_to_stop_gives_back_what_has_a_slot_and_has_not_begun() -> None:
    tasks, store, workers = Tasks(), FakeWorkerStore(), list[Worker]()

    @tasks.task("mail")
    async def mail() -> None:
        workers[0].stop.receive(15)
        until = time.monotonic() + 2 * TURN_SECONDS
        while time.monotonic() < until:
            pass

    for _ in range(3):
        store.enqueue("mail", {})
    workers.append(Worker(store, tasks, replace(SETTINGS, concurrency=3)))

    assert await workers[0].run() == Exit.DONE
    assert sorted((task.state, task.code, task.attempts) for task in store.tasks.values()) == [
        ("ready", "TASK_UNSTARTED", 0),
        ("ready", "TASK_UNSTARTED", 0),
        ("succeeded", "", 1),
    ]
