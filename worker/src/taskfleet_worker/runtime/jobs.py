"""Running handlers: every claimed task becomes a job that ends in the outbox, whatever happens to the call it is part of."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from math import inf
from typing import NamedTuple, cast

from taskfleet.models import ClaimedTask, Completion, Failure, LeaseNote, LeaseRef, Release
from taskfleet.words import ErrorCode
from taskfleet_worker.context import Context
from taskfleet_worker.payload import PayloadRefusedError
from taskfleet_worker.registry import Handler
from taskfleet_worker.rules.conclusions import Conclusion
from taskfleet_worker.rules.endings import (
    Ending,
    StopReason,
    record_of_cancelled,
    record_of_error,
    record_of_missing_entity,
    record_of_stop,
    record_of_unknown_kind,
)
from taskfleet_worker.runtime.bench import Bench
from taskfleet_worker.runtime.calling import Caller
from taskfleet_worker.runtime.calls import Call, Job
from taskfleet_worker.runtime.deadlines import Deadlines
from taskfleet_worker.runtime.hands import Hands


class Ready(NamedTuple):
    """A task with its payload as the handler takes it."""

    task: ClaimedTask
    payload: object


class Jobs:
    """The jobs of this process, by task."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._running: dict[int, Job] = {}
        self._emptied = asyncio.Event()
        """Set when the last job has its ending; what lingers in a thread is not waited for."""
        self._calls: set[Call] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._caller = Caller(bench, hear=self._heard, stopped=self._end_cancelled)
        self._hands = Hands(self._make, clock=bench.clock)
        self._deadlines = Deadlines(self._running.values, self._time_over, clock=bench.clock)

    @property
    def running(self) -> int:
        """Jobs whose lease we believe to hold."""
        return len(self._running)

    @property
    def lingering(self) -> int:
        """Handlers that still run in threads though nobody wants their result; they keep their slots."""
        wanted = {job.call for job in self._running.values()}
        return len(self._calls - wanted)

    def leases(self) -> Iterable[LeaseRef]:
        """The leases of all running jobs."""
        return [job.task.lease for job in self._running.values()]

    def start(self, tasks: Sequence[ClaimedTask]) -> None:
        """Run the handlers of claimed tasks, or end a task at once where that would be in vain."""
        self._loop = self._loop or asyncio.get_running_loop()
        batches: dict[str, list[Ready]] = {}
        for task in tasks:
            handler = self._bench.handlers.get(task.kind)
            payload = record_of_unknown_kind(task) if handler is None else self._payload(task, handler)
            if handler is None or type(payload) is Failure:
                self._refuse(task, cast("Failure", payload))
            elif handler.batch_size is None:
                self._launch(handler, [self._job(task)], [payload])
            else:
                batches.setdefault(task.kind, []).append(Ready(task, payload))
        for kind, waiting in batches.items():
            handler = self._bench.handlers[kind]
            size = handler.batch_size or 1
            for first in range(0, len(waiting), size):
                part = waiting[first : first + size]
                self._launch(handler, [self._job(task) for task, _ in part], [payload for _, payload in part])

    def give_back(self, task: ClaimedTask, code: ErrorCode) -> None:
        """Release a task without having started it."""
        self._refuse(task, Release(lease=task.lease, code=code))

    def refuse_cancelled(self, task: ClaimedTask) -> None:
        """Somebody wants the task stopped before it started."""
        self._refuse(task, record_of_cancelled(task))

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
            self._end(job, Conclusion(record=Release(lease=job.task.lease, code=ErrorCode.SHUTDOWN)))
            job.stopped = StopReason.LEASE_LOST

    async def finished(self, *, within: float) -> bool:
        """Wait until every task has its ending; False if some still run after so many seconds."""
        if not self._running:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(None if within == inf else within):
                await self._emptied.wait()
        return not self._running

    def task_of(self, hand: "asyncio.Task[object] | None") -> ClaimedTask | None:
        """The task (of a batch: its first) that an asyncio task runs the handler of; may be asked from another thread."""
        for call in [] if hand is None else list(self._calls):
            if call.hand is hand:
                return call.jobs[0].task
        return None

    async def close(self) -> None:
        """Let go of what was kept for the next call."""
        await self._caller.close()

    def hear(self, note: LeaseNote) -> None:
        """A handler says something about its task, from whatever thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._heard, note)

    def _heard(self, note: LeaseNote) -> None:
        job = self._running.get(note.lease.task_id)
        if job is None or job.task.token != note.lease.token:
            return
        if note.longer_seconds is not None and job.deadline != inf:
            job.deadline = max(job.deadline, self._bench.clock() + note.longer_seconds)
        self._bench.notes.add(note)

    def _stop(self, leases: Sequence[LeaseRef], reason: StopReason) -> None:
        for lease in leases:
            job = self._running.get(lease.task_id)
            if job is not None and job.task.token == lease.token:
                self._stop_job(job, reason)

    def _stop_job(self, job: Job, reason: StopReason) -> None:
        if reason is StopReason.LEASE_LOST:
            self._forget(job)
        job.stop(reason)

    def _time_over(self, job: Job) -> None:
        self._stop_job(job, StopReason.TIMED_OUT)

    def _payload(self, task: ClaimedTask, handler: Handler) -> object:
        """What the handler takes; a Failure where calling it would be in vain."""
        if task.entity is not None and (task.entity_missing or self._bench.missing.knows(task.entity, now=self._bench.clock())):
            return record_of_missing_entity(task)
        try:
            return handler.decode(task.payload)
        except PayloadRefusedError as error:
            return record_of_error(task, error, overload_pause_seconds=0.0)

    def _launch(self, handler: Handler, jobs: Sequence[Job], payloads: Sequence[object]) -> None:
        call = Call(handler, jobs, payloads)
        self._calls.add(call)
        self._hands.give(call)
        for job in jobs:
            self._deadlines.started(job)

    def _job(self, task: ClaimedTask) -> Job:
        twin = self._running.get(task.task_id)
        if twin is not None:
            # The task came back to us under a new lease, so the old one is gone, though no heartbeat has told us yet.
            self._stop_job(twin, StopReason.LEASE_LOST)
        self._emptied.clear()
        now = self._bench.clock()
        context = Context(task, clock=self._bench.clock, hear=self.hear, started=now)
        job = self._running[task.task_id] = Job(task, context, started=now)
        self._bench.slots.take()
        self._bench.admission.started(task.kind, now=now)
        return job

    def _refuse(self, task: ClaimedTask, record: Failure | Release) -> None:
        """End a task without a call."""
        ending = Ending(task=task, record=record, seconds=0.0, ended_at=self._bench.clock(), ran=False)
        self._bench.outbox.add(ending)
        self._bench.news()

    async def _make(self, call: Call) -> None:
        conclusions: Sequence[Conclusion] = ()
        try:
            if call.unwanted:
                return self._end_cancelled(call, asyncio.CancelledError())
            conclusions = await self._caller.conclude(call)
        except asyncio.CancelledError as error:
            self._end_cancelled(call, error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge between people's code and ours
            conclusions = self._caller.of_error(call, error)
        finally:
            self._end_all(call, conclusions)
            self._leave(call, conclusions)
        return None

    def _end_all(self, call: Call, conclusions: Sequence[Conclusion]) -> None:
        for job, conclusion in zip(call.jobs, conclusions, strict=False):
            if job.stopped is StopReason.CANCELLED and not isinstance(conclusion.record, Completion):
                # It is over as somebody wanted; that it went wrong on the way is no reason to try again.
                self._end(job, Conclusion(record=record_of_cancelled(job.task)))
            else:
                self._end(job, conclusion)

    def _end_cancelled(self, call: Call, error: BaseException) -> None:
        """What a cancelled call means: our own stop, or a cancellation that came from within and is an error like any other."""
        if not call.unwanted:
            return self._end_all(call, self._caller.of_error(call, error))
        for job in call.jobs:
            record = None if job.stopped is None else record_of_stop(job.task, job.stopped)
            self._end(job, None if record is None else Conclusion(record=record))
        return None

    def _end(self, job: Job, conclusion: Conclusion | None) -> None:
        """Put the ending of a job into the outbox, unless its lease is lost."""
        now = self._bench.clock()
        self._bench.ran(now - job.started)
        if job.stopped is StopReason.LEASE_LOST or conclusion is None:
            return self._bench.lost(job.task, now - job.started)
        self._forget(job)
        record = conclusion.record
        if isinstance(record, Failure) and record.missing_entity is not None:
            self._bench.missing.remember(record.missing_entity, now=now)
        # By position: it is made for every task.
        self._bench.outbox.add(Ending(job.task, record, now - job.started, now, conclusion.pause_seconds, conclusion.message))
        return None

    def _leave(self, call: Call, conclusions: Sequence[Conclusion]) -> None:
        """The call is over: its slots are free, or pause."""
        self._calls.discard(call)
        bench = self._bench
        pauses = [conclusion.pause_seconds for conclusion in conclusions if conclusion.pause_seconds]
        now = bench.clock() if pauses else 0.0
        for pause in pauses:
            bench.slots.give_back(pause_until=now + pause)
        bench.slots.give_back(len(call.jobs) - len(pauses))
        bench.admission.ended(call.handler.kind, len(call.jobs))
        bench.news()

    def _forget(self, job: Job) -> None:
        self._bench.notes.forget(job.task)
        if self._running.get(job.task.task_id) is job:
            del self._running[job.task.task_id]
        if not self._running:
            self._emptied.set()
