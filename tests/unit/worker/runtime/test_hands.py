"""Which asyncio task a handler runs in, and what it may leave there."""

import asyncio
import time
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from taskfleet.models import Completion, Failure
from taskfleet_worker import Context, Tasks
from taskfleet_worker.runtime.hands import MOST_AT_ONCE, TURN_SECONDS
from tests.support.workers import claimed_task
from tests.unit.worker.runtime.test_jobs import Workshop

tenant = ContextVar("tenant", default="nobody")


async def results_of(tasks: Tasks, count: int = 3) -> Sequence[object]:
    """What the handler of `mail` returns for so many tasks that are started together."""
    workshop = Workshop(tasks, slots=count)
    workshop.jobs.start([claimed_task(number) for number in range(1, count + 1)])
    assert await workshop.jobs.finished(within=5.0)
    return [ending.record.result for ending in workshop.outbox.take(count) if isinstance(ending.record, Completion)]


async def test_handlers_that_never_wait_share_an_asyncio_task() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> int:
        return id(asyncio.current_task())

    assert len(set(await results_of(tasks))) == 1


async def test_a_handler_that_waits_has_its_asyncio_task_to_itself() -> None:
    tasks, seen = Tasks(), list[object]()

    @tasks.task("mail")
    async def mail() -> bool:
        before = asyncio.current_task()
        await asyncio.sleep(0)
        seen.append(before)
        return asyncio.current_task() is before

    assert (await results_of(tasks), len(set(seen))) == ([True] * 3, 3)


async def test_handlers_that_wait_run_side_by_side() -> None:
    tasks, everybody = Tasks(), asyncio.Barrier(3)

    @tasks.task("mail")
    async def mail() -> str:
        await everybody.wait()
        return "met"

    assert await results_of(tasks) == ["met"] * 3


@pytest.mark.parametrize("waits", [False, True], ids=["that never waits", "that waits"])
async def test_what_a_handler_sets_is_its_own(waits: bool) -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> Sequence[str]:
        found = tenant.get()
        tenant.set("ada")
        if waits:
            await asyncio.sleep(0)
        return [found, tenant.get(), await asyncio.create_task(told())]

    async def told() -> str:
        return tenant.get()

    assert await results_of(tasks) == [["nobody", "ada", "ada"]] * 3


async def test_a_call_that_is_given_by_another_inherits_nothing_from_it() -> None:
    tasks, workshop = Tasks(), list[Workshop]()

    @tasks.task("mail")
    async def mail(_payload: object, context: Context) -> str:
        found = tenant.get()
        tenant.set("ada")
        if context.task_id == 1:
            workshop[0].jobs.start([claimed_task(2)])
        return found

    workshop.append(Workshop(tasks))
    workshop[0].jobs.start([claimed_task(1)])
    await workshop[0].jobs.finished(within=5.0)

    assert [ending.record for ending in workshop[0].outbox.take(2)] == [
        Completion(claimed_task(number).lease, result="nobody") for number in (1, 2)
    ]


async def test_a_handler_that_cancels_itself_takes_nobody_with_it() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return "done"

    assert await results_of(tasks) == ["done"] * 3


async def test_what_a_handler_awaits_may_fail_and_the_handler_go_on() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> Sequence[str]:
        said = []
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(5)
        except TimeoutError:
            said.append("late")
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))
        return [*said, "on"]

    assert await results_of(tasks) == [["late", "on"]] * 3


async def turns_of(count: int, *, busy_seconds: float = 0.0) -> Sequence[int]:
    """In which turn of the event loop each of so many handlers begins that wait for one another."""
    tasks, everybody, turns, begun = Tasks(), asyncio.Barrier(count), [0], list[int]()
    loop = asyncio.get_running_loop()

    def turn() -> None:
        turns[0] += 1
        if len(begun) < count:
            loop.call_soon(turn)

    @tasks.task("mail")
    async def mail() -> None:
        begun.append(turns[0])
        until = time.monotonic() + busy_seconds
        while time.monotonic() < until:
            pass
        await everybody.wait()

    turn()
    await results_of(tasks, count)
    return begun


async def test_handlers_that_wait_soon_begin_many_in_a_turn_of_the_loop() -> None:
    turns = await turns_of(100)

    assert (len(turns), len(set(turns)) <= 30) == (100, True)


async def test_handlers_that_take_their_time_before_they_wait_begin_one_in_a_turn() -> None:
    assert len(set(await turns_of(10, busy_seconds=2 * TURN_SECONDS / MOST_AT_ONCE))) == 10


async def test_a_hand_that_somebody_cancels_before_it_begins_keeps_nobody_up() -> None:
    tasks = Tasks()
    tasks.task("mail")(lambda: None)
    workshop = Workshop(tasks)
    for number in (1, 2):
        before = asyncio.all_tasks()
        workshop.jobs.start([claimed_task(number)])
        if number == 1:
            (hand,) = asyncio.all_tasks() - before
            hand.cancel()
            await asyncio.gather(hand, return_exceptions=True)

    assert await workshop.jobs.finished(within=5.0)
    assert len(workshop.outbox.take(5)) == 2


async def test_many_calls_that_never_wait_let_others_have_their_turn() -> None:
    tasks, turns, calls = Tasks(), list[int](), list[int]()

    @tasks.task("mail")
    async def mail() -> None:
        calls.append(1)
        until = asyncio.get_running_loop().time() + 0.001
        while asyncio.get_running_loop().time() < until:
            pass

    async def watch() -> None:
        while len(calls) < 20:
            turns.append(len(calls))
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await results_of(tasks, count=20)
    await watching

    assert len(set(turns)) > 3


async def test_a_call_that_is_stopped_before_its_turn_is_not_made() -> None:
    tasks, made = Tasks(), list[int]()

    @tasks.task("mail")
    async def mail() -> None:
        made.append(1)

    workshop = Workshop(tasks)
    workshop.jobs.start([claimed_task(1), claimed_task(2)])
    workshop.jobs.stop_cancelled([claimed_task(1).lease])
    await workshop.jobs.finished(within=5.0)
    first, second = workshop.outbox.take(2)

    assert (made, type(first.record), type(second.record)) == ([1], Failure, Completion)


async def test_an_awaitable_that_is_no_coroutine_is_awaited_as_well() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    def mail() -> object:
        class Later:
            def __await__(self) -> object:
                return iter(asyncio.sleep(0, "later").__await__())

        return Later()

    assert await results_of(tasks) == ["later"] * 3
