"""A whole worker in this process over the store in memory."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from taskfleet.errors import DatabaseUnreachableError
from taskfleet.models import Settlement
from taskfleet.words import Outcome, Verdict
from taskfleet_worker import Context, EntityNotFound, Overloaded, Tasks
from taskfleet_worker.runtime.worker import Exit, Worker
from taskfleet_worker.settings import KindSettings, LoopSettings
from tests.support.fake_worker_store import FakeWorkerStore
from tests.support.waiting import eventually
from tests.support.workers import SETTINGS, running_worker


class DataError(Exception):
    """What the driver raises when PostgreSQL refuses a value."""

    sqlstate = "22P05"


def recording(ran: list[int]) -> Tasks:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail(payload: object, context: Context) -> None:
        ran.append(context.task_id)

    tasks.task("slow")(lambda: None)
    return tasks


def gated(gate: asyncio.Event) -> Tasks:
    """A handler that ends when the gate opens."""
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        await gate.wait()

    return tasks


def lines(caplog: pytest.LogCaptureFixture, event: str) -> Sequence[logging.LogRecord]:
    return [record for record in caplog.records if record.message == event]


@pytest.mark.requirement("E3")
@pytest.mark.requirement("K3")
async def test_tasks_are_claimed_run_and_settled() -> None:
    store, ran = FakeWorkerStore(), list[int]()
    ids = [store.enqueue("mail", {}) for _ in range(5)]
    async with running_worker(store, recording(ran)):
        await eventually(lambda: set(store.states().values()) == {"succeeded"})

    assert sorted(ran) == ids
    assert store.sessions == {}


async def test_endings_ride_with_the_next_claim() -> None:
    store = FakeWorkerStore()
    for _ in range(6):
        store.enqueue("mail", {})
    async with running_worker(store, recording([])):
        await eventually(lambda: set(store.states().values()) == {"succeeded"})

    work = [trip for trip in store.trips if trip in ("claim", "settle", "settle_and_claim")]
    assert work[:4] == ["claim", "settle_and_claim", "settle_and_claim", "settle_and_claim"]


@pytest.mark.requirement("B1")
async def test_no_more_tasks_run_at_once_than_there_are_slots() -> None:
    store, gate = FakeWorkerStore(), asyncio.Event()
    for _ in range(5):
        store.enqueue("mail")
    async with running_worker(store, gated(gate)) as worker:
        await eventually(lambda: list(store.states().values()).count("running") == 2)
        during = (worker.taken_slots, [limit for _, limit, *_ in store.asked])
        gate.set()
        await eventually(lambda: set(store.states().values()) == {"succeeded"})

    assert during == (2, [2])


async def test_only_kinds_with_a_handler_are_asked_for() -> None:
    store = FakeWorkerStore()
    store.enqueue("unheard-of")
    async with running_worker(store, recording([])):
        await eventually(lambda: len(store.asked) > 2)

    assert {kinds for kinds, *_ in store.asked} == {("mail", "slow")}
    assert store.states() == {1: "ready"}


@pytest.mark.requirement("B6")
async def test_errors_are_tried_again_until_the_attempts_are_used_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store, tasks = FakeWorkerStore(), Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        raise ValueError("broken")

    store.enqueue("mail", max_attempts=3)
    async with running_worker(store, tasks) as worker:
        await eventually(lambda: store.states() == {1: "failed"})

    assert store.tasks[1].attempts == 3
    assert [len(lines(caplog, event)) for event in ("task.requeued", "task.failed")] == [2, 1]
    assert {key: sum(value.counts) for key, value in worker.metrics.durations.items()} == {
        ("mail", Outcome.RETRIED): 2,
        ("mail", Outcome.FAILED): 1,
    }


@pytest.mark.requirement("A5")
async def test_later_tasks_of_a_missing_entity_fail_without_running() -> None:
    store, tasks, asked = FakeWorkerStore(), Tasks(), list[int]()

    @tasks.task("mail")
    async def mail(payload: object, context: Context) -> None:
        asked.append(context.task_id)
        raise EntityNotFound

    for _ in range(6):
        store.enqueue("mail", {}, entity="gone")
    async with running_worker(store, tasks, replace(SETTINGS, concurrency=1)) as worker:
        await eventually(lambda: set(store.states().values()) == {"failed"})

    assert asked == [1]
    assert {task.attempts for task in store.tasks.values()} == {1}
    assert worker.metrics.short_circuited.counts == {"mail": 5}


@pytest.mark.requirement("B6")
async def test_an_overload_answer_uses_no_attempt_and_its_slot_claims_nothing_meanwhile() -> None:
    store, tasks = FakeWorkerStore(keeps_delays=True), Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        raise Overloaded(retry_after=60)

    for _ in range(3):
        store.enqueue("mail")
    async with running_worker(store, tasks) as worker:
        await eventually(lambda: list(store.states().values()) == ["scheduled", "scheduled", "ready"])
        claims = len(store.asked)
        await eventually(lambda: store.trips.count("heartbeat") >= 2)
        held = [task.lease for task in store.tasks.values() if task.lease]

    assert (held, len(store.asked), claims) == ([], 1, 1)
    assert [store.tasks[number].attempts for number in (1, 2)] == [0, 0]
    assert worker.metrics.overload_pauses.counts == {"mail": 2}


@pytest.mark.requirement("E8")
async def test_a_pause_that_is_over_lets_the_slot_claim_again() -> None:
    store, tasks, answers = FakeWorkerStore(), Tasks(), [Overloaded(retry_after=0.02), None]

    @tasks.task("mail")
    async def mail() -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    store.enqueue("mail")
    async with running_worker(store, tasks, replace(SETTINGS, concurrency=1)):
        await eventually(lambda: store.states() == {1: "succeeded"})


@pytest.mark.requirement("A10")
async def test_a_wake_up_makes_an_idle_worker_look_at_once() -> None:
    store = FakeWorkerStore()
    slow = replace(SETTINGS, loops=LoopSettings(poll_seconds=60.0))
    async with running_worker(store, recording([]), slow) as worker:
        await eventually(lambda: store.trips.count("claim") >= 5)
        store.enqueue("mail", {})
        worker.woken()
        await eventually(lambda: store.states() == {1: "succeeded"}, within=2.0)


@pytest.mark.requirement("E10")
@pytest.mark.requirement("E6")
async def test_endings_survive_a_database_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    store, gate = FakeWorkerStore(), asyncio.Event()
    store.enqueue("mail")
    async with running_worker(store, gated(gate)) as worker:
        await eventually(lambda: store.states() == {1: "running"})
        store.faults.before += [DatabaseUnreachableError("away")] * 3
        gate.set()
        await eventually(lambda: store.states() == {1: "succeeded"})

    assert worker.metrics.loop_failures.counts
    assert not lines(caplog, "task.lease_lost")


@pytest.mark.requirement("B2")
async def test_an_ending_that_was_written_without_an_answer_is_not_called_lost(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store, gate = FakeWorkerStore(), asyncio.Event()
    store.enqueue("mail")
    async with running_worker(store, gated(gate), replace(SETTINGS, concurrency=1)) as worker:
        await eventually(lambda: store.states() == {1: "running"})
        store.faults.after.append(DatabaseUnreachableError("the answer was lost"))
        gate.set()
        await eventually(lambda: lines(caplog, "task.settled_before"))

    assert store.states() == {1: "succeeded"}
    assert worker.metrics.leases_lost.counts == {}


async def test_an_ending_that_the_database_refuses_holds_up_no_other(caplog: pytest.LogCaptureFixture) -> None:
    store, gate = FakeWorkerStore(), asyncio.Event()
    tasks = Tasks()

    @tasks.task("mail")
    async def mail(payload: str) -> str:
        await gate.wait()
        return payload

    def refuse(settlement: Settlement) -> Exception | None:
        bad = any(completion.result == "bad" for completion in settlement.completions)
        return DataError("unsupported character") if bad else None

    store.faults.refuse = refuse
    store.enqueue("mail", "good")
    store.enqueue("mail", "bad")
    async with running_worker(store, tasks):
        await eventually(lambda: set(store.states().values()) == {"running"})
        gate.set()
        await eventually(lambda: store.states() == {1: "succeeded", 2: "failed"})

    assert len(lines(caplog, "settlement.refused")) == 1


@pytest.mark.requirement("B4")
async def test_a_lost_session_ends_what_ran_under_it_and_a_new_one_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    store, gate = FakeWorkerStore(), asyncio.Event()
    store.enqueue("mail")
    one_slot = replace(SETTINGS, concurrency=1, loops=replace(SETTINGS.loops, heartbeat_seconds=1.0))
    async with running_worker(store, gated(gate), one_slot) as worker:
        await eventually(lambda: store.states() == {1: "running"})
        lost = store.session_id
        store.lose_session(lost)
        await eventually(lambda: store.sessions and store.session_id != lost)
        await eventually(lambda: store.states() == {1: "running"})
        gate.set()
        await eventually(lambda: store.states() == {1: "succeeded"})

    assert store.tasks[1].attempts == 2
    assert worker.metrics.leases_lost.counts == {"mail": 1}
    assert len(lines(caplog, "session.lost")) == 1


@pytest.mark.requirement("B4")
async def test_a_claim_that_says_the_session_is_lost_opens_a_new_one() -> None:
    store, ran = FakeWorkerStore(), list[int]()
    async with running_worker(store, recording(ran)):
        await eventually(lambda: store.trips.count("claim") >= 2)
        store.lose_session(store.session_id)
        store.enqueue("mail", {})
        await eventually(lambda: store.states() == {1: "succeeded"})

    assert store.trips.count("open") == 2


@pytest.mark.requirement("B2")
async def test_a_late_ending_is_refused_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    store, gate = FakeWorkerStore(), asyncio.Event()
    store.enqueue("mail")
    async with running_worker(store, gated(gate)) as worker:
        await eventually(lambda: store.states() == {1: "running"})
        store.steal(1)
        gate.set()
        await eventually(lambda: worker.metrics.leases_lost.counts == {"mail": 1})

    assert store.states() == {1: "stolen"}
    assert len(lines(caplog, "task.lease_lost")) == 1


async def test_a_cancelled_task_is_stopped_by_the_next_heartbeat() -> None:
    store, gate = FakeWorkerStore(), asyncio.Event()
    store.enqueue("mail")
    store.cancelled.add(1)
    async with running_worker(store, gated(gate), replace(SETTINGS, loops=replace(SETTINGS.loops, heartbeat_seconds=1.0))):
        await eventually(lambda: store.states() == {1: "failed"})

    assert store.tasks[1].code == "TASK_CANCELLED"


async def test_a_drain_mark_stops_claims_and_is_answered_when_the_last_lease_is_gone() -> None:
    store, gate = FakeWorkerStore(), asyncio.Event()
    first = store.enqueue("mail")
    async with running_worker(store, gated(gate)) as worker:
        await eventually(lambda: store.states() == {first: "running"})
        session = store.sessions[store.session_id]
        session.draining = True
        await eventually(lambda: len(store.asked) > 1)
        store.enqueue("mail")
        await eventually(lambda: store.trips.count("heartbeat") >= 2)
        early = session.drained
        gate.set()
        await eventually(lambda: session.drained)
        states = store.states()
        stays = worker.started and not worker.supervisor.stale()

    assert (early, states, stays) == (False, {1: "succeeded", 2: "ready"}, True)


async def test_a_drain_mark_that_is_taken_back_lets_the_worker_go_on() -> None:
    store, ran = FakeWorkerStore(), list[int]()
    async with running_worker(store, recording(ran)):
        await eventually(lambda: store.sessions)
        session = store.sessions[store.session_id]
        session.draining = True
        await eventually(lambda: session.drained)
        store.enqueue("mail", {})
        session.draining = False
        await eventually(lambda: ran == [1], within=3.0)


@pytest.mark.requirement("E3")
async def test_told_to_stop_it_finishes_what_runs_and_claims_no_more() -> None:
    store, gate = FakeWorkerStore(), asyncio.Event()
    store.enqueue("mail")
    worker = Worker(store, gated(gate), replace(SETTINGS, concurrency=1))
    run = asyncio.create_task(worker.run())
    await eventually(lambda: store.states() == {1: "running"})
    store.enqueue("mail")
    worker.stop.receive(15)
    await asyncio.sleep(0)
    gate.set()

    assert await run == Exit.DONE
    assert store.states() == {1: "succeeded", 2: "ready"}
    assert store.sessions == {}


async def test_what_a_claim_brings_after_the_stop_is_given_back() -> None:
    store, ran = FakeWorkerStore(), list[int]()
    store.faults.hold = asyncio.Event()
    store.enqueue("mail", {})
    worker = Worker(store, recording(ran), SETTINGS)
    run = asyncio.create_task(worker.run())
    await eventually(lambda: "claim" in store.trips)
    worker.stop.receive(15)
    await asyncio.sleep(0.01)
    store.faults.hold.set()

    assert await run == Exit.DONE
    assert (ran, store.states(), store.tasks[1].attempts, store.tasks[1].code) == ([], {1: "ready"}, 0, "TASK_UNSTARTED")


async def test_what_is_not_finished_in_its_drain_time_is_given_back() -> None:
    store = FakeWorkerStore()
    store.enqueue("mail")
    worker = Worker(store, gated(asyncio.Event()), replace(SETTINGS, drain_seconds=0.05))
    run = asyncio.create_task(worker.run())
    await eventually(lambda: store.states() == {1: "running"})
    worker.stop.receive(15)

    assert await run == Exit.DONE
    assert (store.states(), store.tasks[1].attempts, store.tasks[1].code) == ({1: "ready"}, 0, "TASK_SHUTDOWN")


async def test_a_second_signal_gives_back_at_once_and_shows_in_the_exit_code() -> None:
    store = FakeWorkerStore()
    store.enqueue("mail")
    worker = Worker(store, gated(asyncio.Event()), replace(SETTINGS, drain_seconds=600.0))
    run = asyncio.create_task(worker.run())
    await eventually(lambda: store.states() == {1: "running"})
    worker.stop.receive(15)
    worker.stop.receive(15)

    assert await asyncio.wait_for(run, 5.0) == 128 + 15
    assert store.states() == {1: "ready"}


async def test_a_stop_while_the_database_is_away_says_so_in_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskfleet_worker.runtime.worker.FLUSH_SECONDS", 0.1)
    store, gate = FakeWorkerStore(), asyncio.Event()
    store.enqueue("mail")
    worker = Worker(store, gated(gate), SETTINGS)
    run = asyncio.create_task(worker.run())
    await eventually(lambda: store.states() == {1: "running"})
    store.faults.before += [DatabaseUnreachableError("away")] * 1000
    worker.stop.receive(15)
    await asyncio.sleep(0)
    gate.set()

    assert await run == Exit.UNWRITTEN


async def test_a_database_that_comes_back_at_the_very_end_still_hears_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    store, gate = FakeWorkerStore(), asyncio.Event()
    store.enqueue("mail")
    worker = Worker(store, gated(gate), SETTINGS)
    monkeypatch.setattr(worker, "_flush", lambda: asyncio.sleep(0))
    run = asyncio.create_task(worker.run())
    await eventually(lambda: store.states() == {1: "running"})
    store.faults.before += [DatabaseUnreachableError("away")]
    worker.stop.receive(15)
    gate.set()

    assert await run == Exit.DONE
    assert store.states() == {1: "succeeded"}


async def test_marks_go_with_claims_while_there_is_work() -> None:
    store, tasks = FakeWorkerStore(), Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        await asyncio.sleep(0.005)

    for _ in range(200):
        store.enqueue("mail")
    async with running_worker(store, tasks):
        await eventually(lambda: any(marks for _, _, marks, _ in store.asked))
        await eventually(lambda: any(stale for *_, stale in store.asked))


@pytest.mark.requirement("B16")
async def test_a_workers_own_limits_hold() -> None:
    store, gate = FakeWorkerStore(), asyncio.Event()
    for _ in range(4):
        store.enqueue("mail")
    limited = replace(SETTINGS, concurrency=4, kinds=KindSettings(concurrency={"mail": 1}))
    async with running_worker(store, gated(gate), limited) as worker:
        await eventually(lambda: worker.taken_slots == 1)
        await eventually(lambda: store.trips.count("heartbeat") >= 1)
        during = worker.taken_slots
        gate.set()
        await eventually(lambda: set(store.states().values()) == {"succeeded"})

    assert during == 1
    assert {limit for _, limit, *_ in store.asked} == {1}


@pytest.mark.requirement("B16")
async def test_a_rate_limit_of_its_own_spaces_starts() -> None:
    store, ran = FakeWorkerStore(), list[int]()
    for _ in range(3):
        store.enqueue("mail", {})
    limited = replace(SETTINGS, concurrency=4, kinds=KindSettings(rate_limit_seconds={"mail": 0.03, "slow": 0.03}))
    started = asyncio.get_running_loop().time()
    async with running_worker(store, recording(ran), limited):
        await eventually(lambda: len(ran) == 3, every=0.001)

    assert asyncio.get_running_loop().time() - started >= 0.06


@pytest.mark.requirement("E5")
async def test_a_worker_whose_slots_are_all_taken_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    store, gate = FakeWorkerStore(), asyncio.Event()
    for _ in range(2):
        store.enqueue("mail")
    async with running_worker(store, gated(gate)):
        await eventually(lambda: lines(caplog, "worker.saturated"))
        gate.set()

    assert len(lines(caplog, "worker.saturated")) == 1


async def test_claims_are_counted_by_what_they_brought() -> None:
    store = FakeWorkerStore()
    store.verdict = Verdict.CEILING
    async with running_worker(store, recording([])) as worker:
        await eventually(lambda: len(store.asked) > 1)

    assert set(worker.metrics.claims.counts) == {"ceiling"}


async def test_a_worker_that_fails_unknown_kinds_still_does_its_own() -> None:
    store, ran = FakeWorkerStore(), list[int]()
    own, strange = store.enqueue("mail", {}), store.enqueue("strange", {})
    async with running_worker(store, recording(ran), replace(SETTINGS, fail_unknown_kinds=True)):
        await eventually(lambda: store.states() == {own: "succeeded", strange: "failed"})

    assert (ran, store.tasks[strange].code) == ([own], "TASK_PAYLOAD_UNSUPPORTED")
