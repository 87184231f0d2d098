"""What handlers say while they run reaches the store, and what asks for time moves the time-out."""

import asyncio
import threading
from typing import cast

import pytest

from taskfleet.models import Completion, Failure, LeaseNote
from taskfleet.words import ErrorCode
from taskfleet_worker import Context, Tasks
from tests.support.waiting import eventually
from tests.support.workers import claimed_task
from tests.unit.worker.runtime.test_jobs import Workshop


async def test_what_a_handler_says_is_kept_while_it_runs_and_only_the_newest_of_it() -> None:
    tasks, gate = Tasks(), asyncio.Event()

    @tasks.task("mail")
    async def mail(payload: object, context: Context) -> None:
        context.progress(0.2)
        context.progress(0.5, "half of it")
        await gate.wait()

    workshop = Workshop(tasks)
    workshop.jobs.start([claimed_task(1)])
    await eventually(lambda: len(workshop.notes) == 1)
    workshop.store.enqueue("mail")
    workshop.store.tasks[1].lease = claimed_task(1).lease
    writing = asyncio.create_task(workshop.notes.run(lambda: None))
    await eventually(lambda: workshop.store.notes)
    writing.cancel()
    gate.set()
    await workshop.jobs.finished(within=5.0)

    assert [note.progress for note in workshop.store.notes] == [{"share": 0.5, "message": "half of it"}]


async def test_an_extended_task_outlives_its_time_out_in_a_thread_as_well() -> None:
    tasks, told = Tasks(), threading.Event()

    @tasks.task("mail")
    def mail(payload: object, context: Context) -> float | None:
        context.extend(60.0)
        told.wait(5.0)
        return context.seconds_left

    workshop = Workshop(tasks)
    workshop.jobs.start([claimed_task(1, timeout_seconds=0.2)])
    await eventually(lambda: len(workshop.notes))
    # The limit that it began with is over; nobody stops it.
    await asyncio.wait([asyncio.create_task(asyncio.Event().wait())], timeout=0.25)
    told.set()
    await workshop.jobs.finished(within=5.0)

    (ending,) = workshop.outbox.take(1)
    assert isinstance(ending.record, Completion)
    assert 50.0 < cast("float", ending.record.result) <= 60.0
    assert len(workshop.notes) == 0


async def test_the_word_of_a_task_that_has_ended_is_dropped() -> None:
    tasks, kept = Tasks(), list[Context]()

    @tasks.task("mail")
    async def mail(payload: object, context: Context) -> None:
        kept.append(context)

    workshop = Workshop(tasks)
    await workshop.ending_of(claimed_task(1))
    kept[0].progress(1.0)
    await asyncio.sleep(0)

    assert len(workshop.notes) == 0


async def test_a_blocking_handler_may_leave_when_it_is_not_wanted() -> None:
    tasks, begun, left = Tasks(), threading.Event(), threading.Event()

    @tasks.task("mail")
    def mail(payload: object, context: Context) -> None:
        begun.set()
        try:
            while True:
                context.raise_if_cancelled()
                left.wait(0.005)
        finally:
            left.set()

    workshop = Workshop(tasks)
    workshop.jobs.start([claimed_task(1)])
    await eventually(begun.is_set)
    workshop.jobs.stop_cancelled([claimed_task(1).lease])
    await eventually(lambda: workshop.jobs.lingering == 0 and workshop.slots.taken == 0)

    (ending,) = workshop.outbox.take(1)
    assert isinstance(ending.record, Failure)
    assert (ending.record.code, left.is_set()) == (ErrorCode.CANCELLED, True)


async def test_a_word_that_could_not_be_written_is_written_later() -> None:
    workshop = Workshop(Tasks())
    task = claimed_task(workshop.store.enqueue("mail"))
    workshop.store.tasks[1].lease = task.lease
    workshop.store.faults.before.append(OSError("away"))
    workshop.notes.add(LeaseNote(lease=task.lease, progress={"share": 0.5}))
    workshop.notes.add(LeaseNote(lease=task.lease, longer_seconds=3.0))
    with pytest.raises(OSError, match="away"):
        await workshop.notes.run(lambda: None)
    writing = asyncio.create_task(workshop.notes.run(lambda: None))
    await eventually(lambda: workshop.store.notes)
    writing.cancel()

    assert workshop.store.notes == [LeaseNote(lease=task.lease, progress={"share": 0.5}, longer_seconds=3.0)]
