"""Jobs run real handlers on a real event loop; only the queue is missing."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from taskfleet.models import ClaimedTask, Completion, Failure, Release
from taskfleet.words import ErrorCode
from taskfleet_worker import Context, EntityNotFound, Overloaded, Tasks
from taskfleet_worker.context import current_context
from taskfleet_worker.rules.admission import Admission, KindLimit
from taskfleet_worker.rules.endings import Ending, StopReason
from taskfleet_worker.rules.missing import MissingEntities
from taskfleet_worker.rules.slots import Slots
from taskfleet_worker.runtime.bench import Bench
from taskfleet_worker.runtime.jobs import Jobs
from taskfleet_worker.runtime.notes import Notes
from taskfleet_worker.runtime.outbox import Outbox
from tests.support.fake_worker_store import FakeWorkerStore
from tests.support.waiting import eventually
from tests.support.workers import claimed_task


class Workshop:
    """Jobs with what they share, and what came out."""

    def __init__(self, tasks: Tasks, *, slots: int = 4) -> None:
        self.slots = Slots(slots)
        self.outbox = Outbox()
        self.admission = Admission(list(tasks.handlers), {"mail": KindLimit(concurrency=4)})
        self.missing = MissingEntities(seconds=60.0, size=10)
        self.lost: list[int] = []
        self.store = FakeWorkerStore()
        self.notes = Notes(self.store)
        self.news = 0
        self.jobs = Jobs(
            Bench(
                handlers=tasks.handlers,
                slots=self.slots,
                outbox=self.outbox,
                admission=self.admission,
                missing=self.missing,
                notes=self.notes,
                overload_pause_seconds=30.0,
                news=self.hear,
                lost=lambda task, _seconds: self.lost.append(task.task_id),
            )
        )

    def hear(self) -> None:
        self.news += 1

    async def ending_of(self, task: ClaimedTask) -> Ending:
        self.jobs.start([task])
        # As long as a child process takes to start on a machine that is busy.
        assert await self.jobs.finished(within=30.0)
        (ending,) = self.outbox.take(10)
        self.outbox.answered()
        return ending


@asynccontextmanager
async def blocking(tasks: Tasks, kind: str = "mail") -> AsyncIterator[threading.Event]:
    """A sync handler that ends when its event is set, as it is in the end."""
    release = threading.Event()
    tasks.task(kind)(lambda payload: release.wait(10.0) and None)
    try:
        yield release
    finally:
        release.set()


@pytest.mark.requirement("B1")
async def test_an_async_handler_gets_payload_and_context_and_its_result_is_told() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail(payload: dict[str, int], context: Context) -> list[object]:
        await asyncio.sleep(0)
        return [payload["n"], context.task_id, context.kind, context.attempt, current_context.get() is context]

    ending = await Workshop(tasks).ending_of(claimed_task(7, payload={"n": 3}))

    assert ending.record == Completion(lease=claimed_task(7).lease, result=[3, 7, "mail", 1, True])


@pytest.mark.requirement("B1")
async def test_a_sync_handler_runs_in_a_thread_with_its_context() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    def mail(payload: object, context: Context) -> list[object]:
        return [threading.current_thread() is threading.main_thread(), current_context.get() is context]

    ending = await Workshop(tasks).ending_of(claimed_task())

    assert ending.record == Completion(lease=claimed_task().lease, result=[False, True])


async def test_a_plain_function_may_hand_on_what_an_async_one_returns() -> None:
    tasks = Tasks()

    async def send() -> str:
        await asyncio.sleep(0)
        return "sent"

    def hand_on() -> object:
        return send()

    tasks.task("mail")(hand_on)
    ending = await Workshop(tasks).ending_of(claimed_task())

    assert ending.record == Completion(lease=claimed_task().lease, result="sent")


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync"])
async def test_what_a_handler_raises_becomes_its_ending(is_async: bool) -> None:
    tasks = Tasks()

    async def in_loop() -> None:
        raise ValueError("broken")

    def in_thread() -> None:
        raise StopIteration("broken")

    tasks.task("mail")(in_loop if is_async else in_thread)
    workshop = Workshop(tasks)
    ending = await workshop.ending_of(claimed_task())

    assert isinstance(ending.record, Failure)
    assert (ending.record.code, ending.record.retryable) == (ErrorCode.EXECUTION_FAILED, True)
    assert "broken" in ending.record.message
    assert workshop.slots.taken == 0


@pytest.mark.requirement("E10")
async def test_a_handler_that_calls_exit_ends_its_task_and_not_the_worker() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        raise SystemExit(3)

    ending = await Workshop(tasks).ending_of(claimed_task())

    assert isinstance(ending.record, Failure)


@pytest.mark.requirement("B6")
@pytest.mark.parametrize(
    ("payload", "code"), [(None, ErrorCode.PAYLOAD_MISSING), ("text", ErrorCode.PAYLOAD_INVALID)], ids=["missing", "malformed"]
)
async def test_a_payload_is_judged_before_the_handler_runs(payload: object, code: ErrorCode) -> None:
    tasks, ran = Tasks(), []

    @tasks.task("mail")
    async def mail(payload: dict[str, object]) -> None:
        ran.append(payload)

    ending = await Workshop(tasks).ending_of(claimed_task(payload=payload))

    assert isinstance(ending.record, Failure)
    assert (ending.record.code, ending.ran, ran) == (code, False, [])


async def test_a_kind_without_a_handler_is_refused() -> None:
    ending = await Workshop(Tasks()).ending_of(claimed_task(kind="unheard-of"))

    assert isinstance(ending.record, Failure)
    assert ending.record.code is ErrorCode.PAYLOAD_UNSUPPORTED


@pytest.mark.requirement("A5")
async def test_an_entity_found_missing_here_is_not_asked_for_again() -> None:
    tasks, asked = Tasks(), []

    @tasks.task("mail")
    async def mail(payload: object, context: Context) -> None:
        asked.append(context.task_id)
        raise EntityNotFound

    workshop = Workshop(tasks)
    first = await workshop.ending_of(claimed_task(1, entity="gone"))
    second = await workshop.ending_of(claimed_task(2, entity="gone"))
    other = await workshop.ending_of(claimed_task(3, entity="other"))

    assert asked == [1, 3]
    assert [ending.ran for ending in (first, second, other)] == [True, False, True]
    assert isinstance(second.record, Failure)
    assert (second.record.code, second.record.missing_entity) == (ErrorCode.ENTITY_NOT_FOUND, None)


@pytest.mark.requirement("A5")
async def test_an_entity_that_the_fleet_knows_missing_is_not_asked_for() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        raise AssertionError("it was asked for")

    ending = await Workshop(tasks).ending_of(claimed_task(entity="gone", entity_missing=True))

    assert isinstance(ending.record, Failure)
    assert ending.record.code is ErrorCode.ENTITY_NOT_FOUND


@pytest.mark.requirement("B6")
async def test_a_slot_pauses_after_an_overload_answer_and_holds_no_lease() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        raise Overloaded(retry_after=20)

    workshop = Workshop(tasks)
    ending = await workshop.ending_of(claimed_task())

    assert ending.record == Release(lease=claimed_task().lease, code=ErrorCode.OVERLOADED, delay_seconds=20)
    assert (workshop.slots.free(now=ending.ended_at), workshop.slots.pausing) == (3, 1)
    assert list(workshop.jobs.leases()) == []


@pytest.mark.requirement("B4")
async def test_a_lost_lease_cancels_its_handler_and_drops_its_result() -> None:
    tasks, cleaned = Tasks(), []

    @tasks.task("mail")
    async def mail() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cleaned.append(True)
        return "too late"

    workshop = Workshop(tasks)
    workshop.jobs.start([claimed_task(1)])
    await asyncio.sleep(0)
    workshop.jobs.stop_lost([claimed_task(1).lease])
    await eventually(lambda: workshop.lost == [1])

    assert cleaned == [True]
    assert (len(workshop.outbox), workshop.jobs.running, workshop.slots.taken) == (0, 0, 0)


async def test_a_job_that_is_stopped_before_its_first_step_still_has_an_ending() -> None:
    tasks = Tasks()
    tasks.task("mail")(lambda: None)
    workshop = Workshop(tasks)
    workshop.jobs.start([claimed_task(1)])
    workshop.jobs.start([claimed_task(2)])
    workshop.jobs.stop_cancelled([claimed_task(1).lease])
    workshop.jobs.stop_lost([claimed_task(2).lease])
    await eventually(lambda: workshop.slots.taken == 0)

    (ending,) = workshop.outbox.take(10)
    assert isinstance(ending.record, Failure)
    assert (ending.record.code, workshop.lost) == (ErrorCode.CANCELLED, [2])


async def test_a_stop_for_an_older_lease_of_the_task_does_not_touch_the_job() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        await asyncio.sleep(0)

    workshop = Workshop(tasks)
    workshop.jobs.start([claimed_task(1)])
    workshop.jobs.stop_lost([claimed_task(1, token=claimed_task(2).token).lease])
    await workshop.jobs.finished(within=5.0)

    assert len(workshop.outbox) == 1


async def test_a_task_that_runs_too_long_is_stopped() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        await asyncio.Event().wait()

    workshop = Workshop(tasks)
    ending = await workshop.ending_of(claimed_task(timeout_seconds=0.01))

    assert isinstance(ending.record, Failure)
    assert (ending.record.code, ending.record.retryable) == (ErrorCode.TIMED_OUT, True)
    assert "0.01 s" in ending.record.message


async def test_a_time_out_leaves_the_handler_to_clean_up_undisturbed() -> None:
    tasks, cleaned = Tasks(), []

    @tasks.task("mail")
    async def mail() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(3):
                await asyncio.sleep(0)
            cleaned.append(True)

    workshop = Workshop(tasks)
    workshop.jobs.start([claimed_task(1, timeout_seconds=0.0)])
    await eventually(lambda: workshop.jobs.running == 1)
    await asyncio.sleep(0)
    workshop.jobs.stop_cancelled([claimed_task(1).lease])
    await workshop.jobs.finished(within=5.0)

    assert cleaned == [True]


async def test_a_blocking_handler_that_runs_too_long_is_told_at_once_and_keeps_its_slot() -> None:
    tasks = Tasks()
    async with blocking(tasks) as release:
        workshop = Workshop(tasks)
        ending = await workshop.ending_of(claimed_task(1, timeout_seconds=0.01))
        during = (workshop.jobs.running, workshop.jobs.lingering, workshop.slots.taken)
        release.set()
        await eventually(lambda: workshop.slots.taken == 0)

    assert isinstance(ending.record, Failure)
    assert ending.record.code is ErrorCode.TIMED_OUT
    assert (during, workshop.jobs.lingering) == ((0, 1, 1), 0)


async def test_a_cancellation_from_within_is_an_error_like_any_other() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        raise asyncio.CancelledError

    ending = await Workshop(tasks).ending_of(claimed_task())

    assert isinstance(ending.record, Failure)
    assert (ending.record.code, ending.record.retryable) == (ErrorCode.EXECUTION_FAILED, True)


async def test_a_shutdown_gives_back_what_runs() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        await asyncio.Event().wait()

    workshop = Workshop(tasks)
    workshop.jobs.start([claimed_task(1)])
    in_time = await workshop.jobs.finished(within=0.01)
    workshop.jobs.stop_all(StopReason.SHUTDOWN)
    await workshop.jobs.finished(within=5.0)
    workshop.jobs.give_back(claimed_task(2), ErrorCode.SHUTDOWN)

    assert not in_time
    assert [ending.record for ending in workshop.outbox.take(10)] == [
        Release(lease=claimed_task(number).lease, code=ErrorCode.SHUTDOWN) for number in (1, 2)
    ]


async def test_a_handler_that_refuses_to_stop_is_abandoned_and_its_result_dropped() -> None:
    tasks, enough = Tasks(), asyncio.Event()

    @tasks.task("mail")
    async def mail() -> None:
        while not enough.is_set():
            try:
                await enough.wait()
            except asyncio.CancelledError:
                continue

    workshop = Workshop(tasks)
    workshop.jobs.start([claimed_task(1)])
    await asyncio.sleep(0)
    workshop.jobs.stop_all(StopReason.SHUTDOWN)
    workshop.jobs.abandon()
    during = (workshop.jobs.running, workshop.jobs.lingering)
    enough.set()
    await eventually(lambda: workshop.jobs.lingering == 0)

    (ending,) = workshop.outbox.take(10)
    assert during == (0, 1)
    assert ending.record == Release(lease=claimed_task(1).lease, code=ErrorCode.SHUTDOWN)


@pytest.mark.requirement("B16")
async def test_running_tasks_count_towards_the_workers_own_limits() -> None:
    tasks = Tasks()

    @tasks.task("mail")
    async def mail() -> None:
        await asyncio.sleep(0)

    workshop = Workshop(tasks)
    workshop.jobs.start([claimed_task(1)])
    during = workshop.admission.request(free=10, now=time.monotonic()).limit
    await workshop.jobs.finished(within=5.0)
    await eventually(lambda: workshop.admission.request(free=10, now=time.monotonic()).limit == 4)

    assert during == 3
    assert workshop.news >= 1


async def test_waiting_for_tasks_is_not_waiting_for_threads() -> None:
    tasks = Tasks()
    async with blocking(tasks):
        workshop = Workshop(tasks)
        workshop.jobs.start([claimed_task(1, timeout_seconds=0.01)])
        async with asyncio.timeout(4.0):
            finished = await workshop.jobs.finished(within=5.0)

    assert finished
