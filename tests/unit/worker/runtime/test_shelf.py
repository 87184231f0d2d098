"""Tasks claimed ahead of a slot: who is next, and what becomes of those that find none."""

import asyncio
import time
from dataclasses import replace
from math import inf
from uuid import UUID

import pytest

from taskfleet.models import LeaseRef
from taskfleet_worker import Context, Tasks
from taskfleet_worker.runtime.shelf import HOLD_SECONDS, Shelf
from taskfleet_worker.runtime.worker import Parts, put_together
from tests.support.fake_worker_store import FakeWorkerStore
from tests.support.waiting import eventually
from tests.support.workers import SETTINGS, claimed_task, running_worker


def shelf_of(*tasks: tuple[int, str, int]) -> Shelf:
    """Tasks by id, kind and priority."""
    shelf = Shelf()
    shelf.put([claimed_task(task_id, kind=kind, priority=priority) for task_id, kind, priority in tasks], now=10.0)
    return shelf


def ids(shelf: Shelf, count: int) -> list[int]:
    return [task.task_id for task in shelf.take(count)]


@pytest.mark.requirement("B5")
def test_kinds_of_one_priority_take_turns_however_many_tasks_one_of_them_has() -> None:
    shelf = shelf_of(*((number, "many", 5) for number in range(1, 6)), (6, "few", 5), (7, "few", 5))

    assert ids(shelf, 3) == [1, 6, 2]
    assert ids(shelf, 10) == [7, 3, 4, 5]
    assert (len(shelf), shelf.give_back_at) == (0, inf)


def test_a_lower_priority_number_goes_first() -> None:
    assert ids(shelf_of((1, "late", 5), (2, "soon", 1), (3, "soon", 1)), 3) == [2, 3, 1]


def test_a_lease_is_dropped_by_its_token_only() -> None:
    shelf = shelf_of((1, "mail", 5), (2, "mail", 5))
    other = shelf.drop(LeaseRef(task_id=1, token=UUID(int=9)))
    mine = shelf.drop(claimed_task(1).lease)

    assert other is None
    assert mine is not None
    assert [lease.task_id for lease in shelf.leases()] == [2]


def test_those_that_wait_are_due_to_go_back_after_a_moment_in_which_nobody_moved() -> None:
    shelf = shelf_of((1, "mail", 5), (2, "mail", 5))
    at_first = shelf.give_back_at
    shelf.put([claimed_task(3)], now=10.05)
    unchanged = shelf.give_back_at
    shelf.moved(now=10.08)

    assert (at_first, unchanged, shelf.give_back_at) == (10.0 + HOLD_SECONDS, 10.0 + HOLD_SECONDS, 10.08 + HOLD_SECONDS)


def holding(*, slots: int = 1) -> tuple[Parts, FakeWorkerStore, asyncio.Event]:
    """The parts of a worker with a handler that runs until the event is set."""
    tasks, gate = Tasks(), asyncio.Event()

    @tasks.task("mail")
    async def mail(payload: object, context: Context) -> None:
        await gate.wait()

    store = FakeWorkerStore()
    return put_together(store, tasks, replace(SETTINGS, concurrency=slots)), store, gate


async def test_a_task_without_a_slot_waits_and_starts_when_one_is_free() -> None:
    parts, _, gate = holding()
    parts.holdings.take_in([claimed_task(1), claimed_task(2)])
    at_first = (parts.holdings.jobs.running, len(parts.holdings.shelf), parts.holdings.empty, len(list(parts.holdings.leases())))
    gate.set()
    await eventually(lambda: len(parts.holdings.outbox) == 2)

    assert at_first == (1, 1, False, 2)
    assert parts.slots.taken == 0


async def test_tasks_refused_at_once_leave_their_slots_to_those_that_wait() -> None:
    parts, _, gate = holding(slots=2)
    missing = [claimed_task(number, entity="gone", entity_missing=True) for number in (1, 2, 3)]
    parts.holdings.take_in([*missing, claimed_task(4), claimed_task(5), claimed_task(6)])
    await eventually(lambda: len(parts.holdings.outbox) == 3 and len(parts.holdings.shelf) == 1)

    assert (parts.holdings.jobs.running, parts.slots.taken) == (2, 2)
    gate.set()
    await parts.holdings.jobs.finished(within=5.0)


async def test_a_task_that_comes_again_under_a_new_lease_ends_under_the_new_one_alone() -> None:
    parts, _, gate = holding(slots=2)
    again = claimed_task(1, token=claimed_task(2).token, attempt=2)
    parts.holdings.take_in([claimed_task(1)])
    await asyncio.sleep(0)
    parts.holdings.take_in([again])
    await eventually(lambda: parts.metrics.leases_lost.counts == {"mail": 1})
    gate.set()
    await parts.holdings.jobs.finished(within=5.0)

    assert [ending.task for ending in parts.holdings.outbox.take(5)] == [again]


async def test_a_waiting_task_that_is_lost_or_cancelled_never_starts() -> None:
    parts, _, gate = holding()
    lost, cancelled = claimed_task(2), claimed_task(3)
    parts.holdings.take_in([claimed_task(1), lost, cancelled])
    parts.holdings.stop_lost([lost.lease])
    parts.holdings.stop_cancelled([cancelled.lease])
    (ending,) = parts.holdings.outbox.take(5)
    gate.set()
    await parts.holdings.jobs.finished(within=5.0)

    assert (ending.task.task_id, ending.ran, len(parts.holdings.shelf)) == (3, False, 0)


async def test_a_waiting_task_goes_back_when_all_slots_are_long_taken() -> None:
    tasks, gate = Tasks(), asyncio.Event()

    @tasks.task("mail")
    async def mail(payload: dict[str, bool]) -> None:
        if payload["long"]:
            await gate.wait()

    store = FakeWorkerStore(keeps_delays=True)
    for number in range(3010):
        store.enqueue("mail", {"long": number >= 3000})
    settings = replace(SETTINGS, concurrency=2, prefetch=2)
    async with running_worker(store, tasks, settings):
        # Short tasks make it claim ahead, until two long ones have both slots.
        await eventually(lambda: sum(task.code == "TASK_UNSTARTED" for task in store.tasks.values()) > 0)
        given_back = [task for task in store.tasks.values() if task.code == "TASK_UNSTARTED"]
        gate.set()
        await eventually(lambda: set(store.states().values()) == {"succeeded"})

    assert all(task.attempts == 1 for task in given_back)


@pytest.mark.requirement("B5")
async def test_tasks_that_have_a_slot_never_go_back_however_long_those_before_them_hold_the_loop() -> None:
    tasks, store = Tasks(), FakeWorkerStore(keeps_delays=True)

    @tasks.task("mail")
    async def mail() -> None:
        until = time.monotonic() + 2 * HOLD_SECONDS
        while time.monotonic() < until:
            pass

    for _ in range(4):
        store.enqueue("mail", {})
    async with running_worker(store, tasks, replace(SETTINGS, concurrency=4)):
        await eventually(lambda: set(store.states().values()) == {"succeeded"})

    assert [task.code for task in store.tasks.values()] == [""] * 4


async def nothing() -> None: ...


@pytest.mark.requirement("B5")
async def test_a_worker_claims_ahead_only_while_nothing_is_limited() -> None:
    asked: dict[bool, int] = {}
    for limited in (False, True):
        tasks, store = Tasks(), FakeWorkerStore()
        tasks.task("mail")(nothing)
        store.limited = {"mail"} if limited else set()
        for _ in range(3000):
            store.enqueue("mail", {})
        async with running_worker(store, tasks, replace(SETTINGS, prefetch=2)):
            await eventually(lambda: set(store.states().values()) == {"succeeded"})  # noqa: B023
        asked[limited] = max(limit for _, limit, _, _ in store.asked)

    assert asked == {False: 4, True: 2}
