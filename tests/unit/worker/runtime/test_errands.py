"""Workers that go by themselves: once, or until the queue is empty."""

import asyncio
from dataclasses import replace

import pytest

from taskfleet.words import Verdict
from taskfleet_worker import Context, Overloaded, Tasks
from taskfleet_worker.rules.errand import Errand
from taskfleet_worker.runtime.worker import Exit, Worker
from taskfleet_worker.settings import WorkerSettings
from tests.support.fake_worker_store import FakeWorkerStore
from tests.support.workers import SETTINGS

ONCE = replace(SETTINGS, errand=Errand.ONCE)
UNTIL_EMPTY = replace(SETTINGS, errand=Errand.UNTIL_EMPTY)


async def worked(store: FakeWorkerStore, tasks: Tasks, settings: WorkerSettings) -> int:
    async with asyncio.timeout(20.0):
        return await Worker(store, tasks, settings).run()


async def test_once_does_what_one_claim_brings_however_long_it_takes() -> None:
    store, tasks = FakeWorkerStore(), Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        await asyncio.sleep(0.05)

    for _ in range(3):
        store.enqueue("mail", {})
    code = await worked(store, tasks, replace(ONCE, drain_seconds=0.0))

    assert code == Exit.DONE
    assert list(store.states().values()) == ["succeeded", "succeeded", "ready"]
    assert store.sessions == {}


async def test_once_ends_though_there_is_nothing() -> None:
    tasks = Tasks()
    tasks.task("mail")(lambda: None)

    assert await worked(FakeWorkerStore(), tasks, ONCE) == Exit.DONE


async def test_until_empty_does_what_tasks_enqueue_as_well() -> None:
    store, tasks = FakeWorkerStore(), Tasks()

    @tasks.task("mail")
    async def mail(payload: int) -> None:
        await asyncio.sleep(0.02)
        if payload:
            store.enqueue("mail", payload - 1)

    store.enqueue("mail", 4)
    code = await worked(store, tasks, UNTIL_EMPTY)

    assert code == Exit.DONE
    assert list(store.states().values()) == ["succeeded"] * 5


async def test_until_empty_waits_for_slots_that_pause() -> None:
    store, tasks, asked = FakeWorkerStore(), Tasks(), list[int]()

    @tasks.task("mail")
    async def mail(payload: object, context: Context) -> None:
        asked.append(context.task_id)
        if len(asked) < 3:
            raise Overloaded(0.02)

    store.enqueue("mail", {})
    await worked(store, tasks, UNTIL_EMPTY)

    assert asked == [1, 1, 1]
    assert store.states() == {1: "succeeded"}


@pytest.mark.parametrize("verdict", [Verdict.PAUSED, Verdict.IDLE], ids=str)
async def test_until_empty_waits_for_no_pause(verdict: Verdict) -> None:
    store, tasks = FakeWorkerStore(), Tasks()
    tasks.task("mail")(lambda: None)
    store.verdict = verdict

    assert await worked(store, tasks, UNTIL_EMPTY) == Exit.DONE
