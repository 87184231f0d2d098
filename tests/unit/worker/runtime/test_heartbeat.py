"""A worker that hears nothing for a whole lease takes what it holds for lost (the rest of the heartbeat is in test_worker.py)."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf
from uuid import UUID

import pytest

from taskfleet.errors import DatabaseUnreachableError
from taskfleet.models import Claim, HeartbeatAnswer, LeaseRef, Mark
from taskfleet_worker import Context, Tasks
from taskfleet_worker.runtime.worker import Parts, put_together
from tests.support.fake_worker_store import FakeWorkerStore
from tests.support.waiting import eventually
from tests.support.workers import SETTINGS, running_worker

LEASE = SETTINGS.lease_seconds


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Deaf(FakeWorkerStore):
    """Answers no heartbeat."""

    async def heartbeat(self, session_id: UUID, *, held: Sequence[LeaseRef]) -> HeartbeatAnswer:
        raise DatabaseUnreachableError("away")


def sleeping() -> Tasks:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        await asyncio.Event().wait()

    return tasks


async def at_work(store: FakeWorkerStore, tasks: Tasks, clock: Clock) -> Parts:
    """The parts of a worker with an open session that runs one task."""
    parts = put_together(store, tasks, SETTINGS, clock=clock)
    store.enqueue("mail", {})
    claim = await store.claim(await parts.session.open(), kinds=["mail"], limit=1)
    parts.holdings.take_in(claim.tasks)
    return parts


async def beaten(parts: Parts, store: FakeWorkerStore) -> None:
    """Let one heartbeat go out and be answered."""
    before = store.trips.count("heartbeat")
    beating = asyncio.create_task(parts.heartbeat.run(lambda: None))
    await eventually(lambda: store.trips.count("heartbeat") > before)
    await asyncio.sleep(0)
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)


@pytest.mark.requirement("B2")
async def test_without_an_answer_for_a_whole_lease_handlers_are_cancelled_and_their_results_dropped() -> None:
    store, clock, tasks, said = FakeWorkerStore(), Clock(), Tasks(), list[str]()

    @tasks.task("mail")
    async def mail() -> None:
        said.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            said.append("cancelled")

    parts = await at_work(store, tasks, clock)
    await eventually(lambda: said == ["begun"])
    clock.now += LEASE - 1
    left = parts.heartbeat.fence()
    running = parts.holdings.jobs.running
    clock.now += 1
    parts.heartbeat.fence()
    await eventually(lambda: parts.metrics.leases_lost.counts == {"mail": 1})

    assert (left, running, said) == (1.0, 1, ["begun", "cancelled"])
    assert (parts.session.id, parts.holdings.empty, parts.slots.taken, parts.heartbeat.fence()) == (None, True, 0, inf)


async def test_the_lease_counts_from_when_the_answered_heartbeat_was_sent() -> None:
    clock = Clock()

    class Slow(FakeWorkerStore):
        async def heartbeat(self, session_id: UUID, *, held: Sequence[LeaseRef]) -> HeartbeatAnswer:
            clock.now += 40
            return await super().heartbeat(session_id, held=held)

    store = Slow()
    parts = await at_work(store, sleeping(), clock)
    clock.now += LEASE - 50
    await beaten(parts, store)

    assert parts.heartbeat.fence() == LEASE - 40
    parts.holdings.jobs.abandon()


@pytest.mark.requirement("B2")
async def test_a_handler_in_a_thread_is_told() -> None:
    store, clock, begun, told = FakeWorkerStore(), Clock(), threading.Event(), threading.Event()
    tasks = Tasks()

    @tasks.task("mail")
    def mail(payload: object, context: Context) -> None:
        begun.set()
        while not context.cancelled:
            told.wait(0.01)
        told.set()

    parts = await at_work(store, tasks, clock)
    await eventually(begun.is_set)
    clock.now += LEASE
    parts.heartbeat.fence()
    await eventually(lambda: told.is_set() and parts.metrics.leases_lost.counts == {"mail": 1})

    assert store.states() == {1: "running"}


async def test_a_claim_that_is_answered_after_the_worker_was_cut_off_goes_back_unstarted() -> None:
    clock = Clock()

    class Late(FakeWorkerStore):
        async def claim(
            self, session_id: UUID, *, kinds: Sequence[str], limit: int, marks: Sequence[Mark] = (), stale_slots: int = 0
        ) -> Claim:
            claim = await super().claim(session_id, kinds=kinds, limit=limit, marks=marks, stale_slots=stale_slots)
            clock.now += LEASE
            parts.heartbeat.fence()
            return claim

    store = Late()
    parts = put_together(store, sleeping(), SETTINGS, clock=clock)
    await parts.session.open()
    store.enqueue("mail", {})
    await parts.exchange.once()
    await parts.exchange.once()

    assert (parts.holdings.jobs.running, store.states(), store.tasks[1].attempts) == (0, {1: "ready"}, 0)


async def test_an_answer_that_comes_after_the_worker_was_cut_off_gives_the_next_session_no_time() -> None:
    clock = Clock()

    class Late(FakeWorkerStore):
        async def heartbeat(self, session_id: UUID, *, held: Sequence[LeaseRef]) -> HeartbeatAnswer:
            clock.now += LEASE
            parts.heartbeat.fence()
            await parts.session.open()
            clock.now += 5
            return await super().heartbeat(session_id, held=held)

    store = Late()
    parts = await at_work(store, sleeping(), clock)
    await beaten(parts, store)

    assert parts.heartbeat.fence() == LEASE - 5


async def test_a_worker_that_was_cut_off_begins_anew() -> None:
    store = Deaf()
    store.enqueue("mail", {})
    async with running_worker(store, sleeping(), replace(SETTINGS, lease_seconds=0.6)) as worker:
        await eventually(lambda: worker.metrics.leases_lost.counts == {"mail": 1} and store.trips.count("open") == 2)
        stale = worker.supervisor.stale()

    assert stale == []


async def test_a_beat_on_a_dead_connection_does_not_keep_the_next_session_from_beating() -> None:
    released = asyncio.Event()

    class Dead(FakeWorkerStore):
        """Its first beat gets no answer and does not heed that nobody waits for it, as a driver on a dead connection may do."""

        async def heartbeat(self, session_id: UUID, *, held: Sequence[LeaseRef]) -> HeartbeatAnswer:
            if "heartbeat" in self.trips:
                return await super().heartbeat(session_id, held=held)
            self.trips.append("heartbeat")
            while not released.is_set():
                with suppress(asyncio.CancelledError):
                    await released.wait()
            raise OSError("the connection was dead")

    store = Dead()
    async with running_worker(store, sleeping(), replace(SETTINGS, lease_seconds=0.6)):
        await eventually(lambda: store.trips.count("heartbeat") > 1)
        sessions = store.trips.count("open")
        released.set()

    assert sessions >= 1
