"""Running handlers: every claimed task becomes a job that ends in the outbox, whatever happens to it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from inspect import isawaitable
from typing import cast

from taskfleet.models import ClaimedTask, Completion, Failure, LeaseRef, Release
from taskfleet.words import ErrorCode
from taskfleet_worker.context import Context, current_context
from taskfleet_worker.payload import PayloadRefusedError
from taskfleet_worker.registry import Handler
from taskfleet_worker.rules.admission import Admission
from taskfleet_worker.rules.endings import (
    Ending,
    StopReason,
    pause_of,
    record_of_error,
    record_of_missing_entity,
    record_of_stop,
    record_of_unknown_kind,
)
from taskfleet_worker.rules.missing import MissingEntities
from taskfleet_worker.rules.slots import Slots
from taskfleet_worker.runtime.outbox import Outbox

_log = logging.getLogger("taskfleet.worker")

Clock = Callable[[], float]


class Job:
    """One handler that runs."""

    __slots__ = ("context", "entered", "future", "started", "stopped", "task", "timer")

    def __init__(self, task: ClaimedTask, context: Context, *, started: float) -> None:
        self.task = task
        self.context = context
        self.started = started
        self.entered = False
        """True once its coroutine runs: cancelled before that it would vanish without an ending."""
        self.stopped: StopReason | None = None
        """Why it is being stopped; the first reason counts, but a lost lease outdoes all."""
        self.future: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    def stop(self, reason: StopReason) -> None:
        """Cancel an async handler at its next await; tell a sync one through its context."""
        first = self.stopped is None
        if first or reason is StopReason.LEASE_LOST:
            self.stopped = reason
        self.context.cancelled = True
        # Once is enough: a second cancel would cut off a handler that cleans up. Only a worker that must go insists.
        if self.future is not None and self.entered and (first or reason is StopReason.SHUTDOWN):
            self.future.cancel()

    def enter(self) -> None:
        """The coroutine runs; raises CancelledError if the job was stopped before."""
        self.entered = True
        if self.stopped is not None:
            raise asyncio.CancelledError


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What jobs share: the room they take and where they leave their endings."""

    handlers: Mapping[str, Handler]
    slots: Slots
    outbox: Outbox
    admission: Admission
    missing: MissingEntities
    overload_pause_seconds: float
    news: Callable[[], None]
    """Called when a job has ended or a slot became free."""
    lost: Callable[[ClaimedTask, float], None]
    """Called when a job's result is dropped because its lease was lost, with the seconds it ran."""
    clock: Clock = time.monotonic


class Jobs:
    """The jobs of this process, by task."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._running: dict[int, Job] = {}
        self._threads: ThreadPoolExecutor | None = None
        self._all: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """Jobs whose lease we believe to hold."""
        return len(self._running)

    @property
    def lingering(self) -> int:
        """Handlers that still run in threads though nobody wants their result; they keep their slots."""
        return len(self._all) - len(self._running)

    def leases(self) -> Iterable[LeaseRef]:
        """The leases of all running jobs."""
        return [job.task.lease for job in self._running.values()]

    def start(self, task: ClaimedTask) -> None:
        """Run the task's handler, or end the task at once where that would be in vain."""
        handler = self._bench.handlers.get(task.kind)
        if handler is None:
            return self._refuse(task, record_of_unknown_kind(task))
        now = self._bench.clock()
        if task.entity is not None and (task.entity_missing or self._bench.missing.knows(task.entity, now=now)):
            return self._refuse(task, record_of_missing_entity(task))
        try:
            payload = handler.decode(task.payload)
        except PayloadRefusedError as error:
            return self._refuse(task, record_of_error(task, error, overload_pause_seconds=0.0))
        self._launch(task, handler, payload, now)
        return None

    def give_back(self, task: ClaimedTask) -> None:
        """Release a task without having started it: the worker is going down."""
        self._refuse(task, Release(lease=task.lease, code=ErrorCode.SHUTDOWN))

    def stop_lost(self, leases: Sequence[LeaseRef]) -> None:
        """These leases are lost: stop their handlers and drop what comes out."""
        self._stop(leases, StopReason.LEASE_LOST)

    def stop_cancelled(self, leases: Sequence[LeaseRef]) -> None:
        """Somebody wants these tasks stopped."""
        self._stop(leases, StopReason.CANCELLED)

    def stop_all(self, reason: StopReason) -> None:
        """Stop every handler."""
        for job in list(self._running.values()):
            self._stop_job(job, reason)

    def abandon(self) -> None:
        """Give back what still runs although it was told to stop; nobody waits for it any more."""
        for job in list(self._running.values()):
            self._end(job, Release(lease=job.task.lease, code=ErrorCode.SHUTDOWN))
            job.stopped = StopReason.LEASE_LOST

    async def finished(self, *, within: float) -> bool:
        """Wait until every task has its ending; False if some still run after so many seconds."""
        deadline = self._bench.clock() + within
        while self._running:
            left = deadline - self._bench.clock()
            if left <= 0:
                return False
            futures = [job.future for job in self._running.values() if job.future is not None]
            await asyncio.wait(futures, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        return True

    def _stop(self, leases: Sequence[LeaseRef], reason: StopReason) -> None:
        for lease in leases:
            job = self._running.get(lease.task_id)
            if job is not None and job.task.token == lease.token:
                self._stop_job(job, reason)

    def _stop_job(self, job: Job, reason: StopReason) -> None:
        if reason is StopReason.LEASE_LOST:
            self._forget(job)
        job.stop(reason)

    def _launch(self, task: ClaimedTask, handler: Handler, payload: object, now: float) -> None:
        twin = self._running.get(task.task_id)
        if twin is not None:
            # The task came back to us under a new lease, so the old one is gone, though no heartbeat has told us yet.
            self._stop_job(twin, StopReason.LEASE_LOST)
        job = Job(task, Context(task, clock=self._bench.clock), started=now)
        self._running[task.task_id] = job
        self._bench.slots.take()
        self._bench.admission.started(task.kind, now=now)
        loop = asyncio.get_running_loop()
        job.future = loop.create_task(self._run(job, handler, payload))
        self._all.add(job.future)
        job.future.add_done_callback(self._all.discard)
        if task.timeout_seconds is not None:
            job.timer = loop.call_later(task.timeout_seconds, self._stop_job, job, StopReason.TIMED_OUT)

    def _refuse(self, task: ClaimedTask, record: Failure | Release) -> None:
        ending = Ending(task=task, record=record, seconds=0.0, ended_at=self._bench.clock(), ran=False)
        self._bench.outbox.add(ending)
        self._bench.news()

    async def _run(self, job: Job, handler: Handler, payload: object) -> None:
        current_context.set(job.context)
        pause = 0.0
        try:
            job.enter()
            if handler.is_async:
                result = await cast("Awaitable[object]", handler.call(payload, job.context))
                self._end(job, Completion(lease=job.task.lease, result=result))
            else:
                pause = await self._run_in_thread(job, handler, payload)
        except asyncio.CancelledError as error:
            self._end(job, self._record_of_cancel(job, error))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge between people's code and ours
            pause = self._fail(job, error)
        finally:
            self._bench.slots.give_back(pause_until=self._bench.clock() + pause if pause else None)
            self._bench.admission.ended(job.task.kind)
            self._bench.news()

    async def _run_in_thread(self, job: Job, handler: Handler, payload: object) -> float:
        """Run a blocking handler; returns the pause of its slot.

        If it is stopped its ending is told at once, but it keeps its slot until its thread is free.
        """
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._bench.slots.count, thread_name_prefix="taskfleet-task")
        loop = asyncio.get_running_loop()
        thread = loop.run_in_executor(self._threads, copy_context().run, _call, handler, payload, job.context)
        try:
            result, error = await asyncio.shield(thread)
        except asyncio.CancelledError as cancelled:
            self._end(job, self._record_of_cancel(job, cancelled))
            _log.warning("task.lingers", extra={"task_id": job.task.task_id, "kind": job.task.kind, "reason": str(job.stopped)})
            await asyncio.wait([thread])
            return 0.0
        if error is not None:
            return self._fail(job, error)
        if isawaitable(result):
            # A plain function that hands on what an async one returned, as decorators do.
            result = await result
        self._end(job, Completion(lease=job.task.lease, result=result))
        return 0.0

    def _fail(self, job: Job, error: BaseException) -> float:
        """End a job whose handler raised; returns the pause of its slot."""
        pause = pause_of(error, default=self._bench.overload_pause_seconds)
        self._end(job, self._record_of_error(job, error), pause_seconds=pause)
        return pause

    def _record_of_error(self, job: Job, error: BaseException) -> Failure | Release:
        record = record_of_error(job.task, error, overload_pause_seconds=self._bench.overload_pause_seconds)
        if isinstance(record, Failure) and record.missing_entity is not None:
            self._bench.missing.remember(record.missing_entity, now=self._bench.clock())
        return record

    def _record_of_cancel(self, job: Job, error: BaseException) -> Failure | Release | None:
        """What a cancelled handler means: our own stop, or a cancellation that came from within and is an error like any other."""
        if job.stopped is None:
            return self._record_of_error(job, error)
        return record_of_stop(job.task, job.stopped)

    def _end(self, job: Job, record: Completion | Failure | Release | None, *, pause_seconds: float = 0.0) -> None:
        now = self._bench.clock()
        if job.timer is not None:
            job.timer.cancel()
        if job.stopped is StopReason.LEASE_LOST or record is None:
            self._bench.lost(job.task, now - job.started)
            return
        self._forget(job)
        ending = Ending(task=job.task, record=record, seconds=now - job.started, ended_at=now, pause_seconds=pause_seconds)
        self._bench.outbox.add(ending)

    def _forget(self, job: Job) -> None:
        if self._running.get(job.task.task_id) is job:
            del self._running[job.task.task_id]


def _call(handler: Handler, payload: object, context: Context) -> tuple[object, BaseException | None]:
    """Call a blocking handler; errors come back as values, since a StopIteration cannot cross a future."""
    try:
        return handler.call(payload, context), None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - handed on to where handlers' errors are judged
        return None, error
