"""Batch handlers: several tasks in one call, each with a lease, an ending and a slot of its own."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from taskfleet.models import Completion, Failure, Settlement
from taskfleet.words import ErrorCode
from taskfleet_worker import Context, EntityNotFound, Tasks
from taskfleet_worker.rules.endings import StopReason
from taskfleet_worker.testing import run_batch, run_handler
from tests.support.fake_worker_store import FakeWorkerStore
from tests.support.waiting import eventually
from tests.support.workers import SETTINGS, claimed_task, running_worker
from tests.unit.worker.runtime.test_jobs import Workshop

TWO = [claimed_task(1), claimed_task(2)]


@dataclass
class Letter:
    reader: str


@pytest.mark.requirement("B1")
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_the_tasks_of_a_claim_are_done_in_calls_of_at_most_the_batch_size(is_async: bool) -> None:
    tasks, calls = Tasks(), list[list[str]]()

    def send(letters: list[Letter], contexts: list[Context]) -> Sequence[object]:
        calls.append([letter.reader for letter in letters])
        return [context.task_id for context in contexts]

    async def send_async(letters: list[Letter], contexts: list[Context]) -> Sequence[object]:
        return send(letters, contexts)

    tasks.batch("mail", size=2)(send_async if is_async else send)
    records = await run_batch(tasks, "mail", [{"reader": name} for name in ("ada", "grace", "edsger")])

    assert sorted(calls) == [["ada", "grace"], ["edsger"]]
    assert [record.result for record in records if isinstance(record, Completion)] == [1, 2, 3]


async def test_a_malformed_payload_keeps_no_other_task_of_the_batch_from_running() -> None:
    tasks, seen = Tasks(), list[str]()

    @tasks.batch("mail", size=10)
    async def send(letters: Sequence[Letter]) -> None:
        seen.extend(letter.reader for letter in letters)

    bad, good = await run_batch(tasks, "mail", [{"writer": "ada"}, {"reader": "grace"}])

    assert seen == ["grace"]
    assert isinstance(bad, Failure)
    assert (bad.code, type(good)) == (ErrorCode.PAYLOAD_INVALID, Completion)


async def test_a_batch_may_be_one() -> None:
    tasks = Tasks()

    @tasks.batch("mail", size=10)
    async def send(letters: list[Letter]) -> list[object]:
        return [EntityNotFound(letter.reader) for letter in letters]

    told = await run_handler(tasks, "mail", {"reader": "nobody"})

    assert isinstance(told, Failure)
    assert told.missing_entity == "nobody"


@pytest.mark.requirement("A8")
async def test_a_batch_is_written_in_one_settlement() -> None:
    store, tasks, sizes = FakeWorkerStore(), Tasks(), list[int]()

    def note(settlement: Settlement) -> None:
        sizes.append(len(settlement.completions))

    store.faults.refuse = note
    tasks.batch("mail", size=50)(lambda _payloads: None)
    for _ in range(50):
        store.enqueue("mail", {})
    async with running_worker(store, tasks, replace(SETTINGS, concurrency=50)):
        await eventually(lambda: set(store.states().values()) == {"succeeded"})

    assert sizes == [50]


async def test_one_stopped_task_leaves_the_others_of_its_batch_to_finish() -> None:
    tasks, gate, seen = Tasks(), asyncio.Event(), list[bool]()

    @tasks.batch("mail", size=2)
    async def send(payloads: list[object], contexts: list[Context]) -> None:
        await gate.wait()
        seen.extend(context.cancelled for context in contexts)

    workshop = Workshop(tasks)
    workshop.jobs.start(TWO)
    await asyncio.sleep(0)
    workshop.jobs.stop_lost([TWO[0].lease])
    gate.set()
    assert await workshop.jobs.finished(within=5.0)

    assert seen == [True, False]
    assert workshop.lost == [1]
    assert [ending.record for ending in workshop.outbox.take(10)] == [Completion(lease=TWO[1].lease)]
    assert workshop.slots.taken == 0


async def test_a_cancelled_task_of_a_batch_that_went_wrong_is_not_tried_again() -> None:
    tasks, gate = Tasks(), asyncio.Event()

    @tasks.batch("mail", size=2)
    async def send() -> None:
        await gate.wait()
        raise ValueError("broken")

    workshop = Workshop(tasks)
    workshop.jobs.start(TWO)
    await asyncio.sleep(0)
    workshop.jobs.stop_cancelled([TWO[0].lease])
    gate.set()
    assert await workshop.jobs.finished(within=5.0)

    records = [ending.record for ending in workshop.outbox.take(10)]
    assert [record.code for record in records if isinstance(record, Failure)] == [ErrorCode.CANCELLED, ErrorCode.EXECUTION_FAILED]


async def test_a_batch_that_nobody_wants_any_more_is_cancelled() -> None:
    tasks = Tasks()

    @tasks.batch("mail", size=2)
    async def send() -> None:
        await asyncio.Event().wait()

    workshop = Workshop(tasks)
    workshop.jobs.start([task._replace(timeout_seconds=0.01) for task in TWO])
    assert await workshop.jobs.finished(within=5.0)

    records = [ending.record for ending in workshop.outbox.take(10)]
    assert [record.code for record in records if isinstance(record, Failure)] == [ErrorCode.TIMED_OUT, ErrorCode.TIMED_OUT]


async def test_a_blocking_batch_that_is_stopped_is_told_at_once_and_keeps_its_slots() -> None:
    tasks, release = Tasks(), threading.Event()
    tasks.batch("mail", size=2)(lambda _payloads: release.wait(10.0) and None)
    workshop = Workshop(tasks)
    workshop.jobs.start(TWO)
    await asyncio.sleep(0)
    workshop.jobs.stop_all(StopReason.SHUTDOWN)
    assert await workshop.jobs.finished(within=5.0)
    during = (len(workshop.outbox), workshop.jobs.lingering, workshop.slots.taken)
    release.set()
    await eventually(lambda: workshop.slots.taken == 0)

    assert during == (2, 1, 2)
    assert len(workshop.outbox) == 2
