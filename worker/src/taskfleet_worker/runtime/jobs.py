"""Running handlers: every claimed task becomes a job that ends in the outbox, whatever happens to the call it is part of."""

import asyncio
import logging
import pickle
from collections.abc import Awaitable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from inspect import isawaitable
from itertools import zip_longest
from math import inf
from typing import TYPE_CHECKING, NamedTuple, cast

from taskfleet.models import ClaimedTask, Completion, Failure, LeaseRef, Release
from taskfleet.words import ErrorCode
from taskfleet_worker.context import Context, current_context
from taskfleet_worker.payload import PayloadRefusedError
from taskfleet_worker.registry import Handler, Reference
from taskfleet_worker.rules.conclusions import Conclusion, conclude_error, conclude_result
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
from taskfleet_worker.runtime.calls import Call, Job

if TYPE_CHECKING:
    from taskfleet_worker.runtime.children import Children

_log = logging.getLogger("taskfleet.worker")


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
        self._threads: ThreadPoolExecutor | None = None
        self._children: Children | None = None
        self._calls: set[Call] = set()

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
        batches: dict[str, list[Ready]] = {}
        for task in tasks:
            handler = self._bench.handlers.get(task.kind)
            payload = record_of_unknown_kind(task) if handler is None else self._payload(task, handler)
            if handler is None or isinstance(payload, Failure | Release):
                self._refuse(task, cast("Failure | Release", payload))
            elif handler.batch_size is None:
                self._launch(handler, [Ready(task, payload)])
            else:
                batches.setdefault(task.kind, []).append(Ready(task, payload))
        for kind, waiting in batches.items():
            handler = self._bench.handlers[kind]
            size = handler.batch_size or 1
            for first in range(0, len(waiting), size):
                self._launch(handler, waiting[first : first + size])

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

    def task_of(self, future: "asyncio.Task[object] | None") -> ClaimedTask | None:
        """The task (of a batch: its first) that an asyncio task runs the handler of; may be asked from another thread."""
        for call in list(self._calls):
            if call.future is future:
                return call.jobs[0].task
        return None

    async def close(self) -> None:
        """Let go of what was kept for the next call."""
        if self._children is not None:
            await self._children.close()

    def _stop(self, leases: Sequence[LeaseRef], reason: StopReason) -> None:
        for lease in leases:
            job = self._running.get(lease.task_id)
            if job is not None and job.task.token == lease.token:
                self._stop_job(job, reason)

    def _stop_job(self, job: Job, reason: StopReason) -> None:
        if reason is StopReason.LEASE_LOST:
            self._forget(job)
        job.stop(reason)

    def _payload(self, task: ClaimedTask, handler: Handler) -> object:
        """What the handler takes; a Failure where calling it would be in vain."""
        if task.entity is not None and (task.entity_missing or self._bench.missing.knows(task.entity, now=self._bench.clock())):
            return record_of_missing_entity(task)
        try:
            return handler.decode(task.payload)
        except PayloadRefusedError as error:
            return record_of_error(task, error, overload_pause_seconds=0.0)

    def _launch(self, handler: Handler, ready: Sequence[Ready]) -> None:
        jobs = [self._job(task) for task, _ in ready]
        call = Call(handler, jobs)
        self._calls.add(call)
        call.begin(self._run(call, [payload for _, payload in ready]))
        timeout_seconds = jobs[0].task.timeout_seconds
        if timeout_seconds is not None:
            loop = asyncio.get_running_loop()
            for job in jobs:
                job.timer = loop.call_later(timeout_seconds, self._stop_job, job, StopReason.TIMED_OUT)

    def _job(self, task: ClaimedTask) -> Job:
        twin = self._running.get(task.task_id)
        if twin is not None:
            # The task came back to us under a new lease, so the old one is gone, though no heartbeat has told us yet.
            self._stop_job(twin, StopReason.LEASE_LOST)
        self._emptied.clear()
        now = self._bench.clock()
        job = self._running[task.task_id] = Job(task, Context(task, clock=self._bench.clock), started=now)
        self._bench.slots.take()
        self._bench.admission.started(task.kind, now=now)
        return job

    def _refuse(self, task: ClaimedTask, record: Failure | Release) -> None:
        """End a task without a call."""
        ending = Ending(task=task, record=record, seconds=0.0, ended_at=self._bench.clock(), ran=False)
        self._bench.outbox.add(ending)
        self._bench.news()

    async def _run(self, call: Call, payloads: Sequence[object]) -> None:
        conclusions: Sequence[Conclusion] = ()
        try:
            call.enter()
            conclusions = await self._conclude(call, payloads)
        except asyncio.CancelledError as error:
            self._end_cancelled(call, error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge between people's code and ours
            conclusions = self._of_error(call, error)
        finally:
            self._end_all(call, conclusions)
            self._leave(call, conclusions)

    async def _conclude(self, call: Call, payloads: Sequence[object]) -> Sequence[Conclusion]:
        """Call the handler; one conclusion for each task, or none where they were told already. Raises what an async handler raised."""
        payload: object = payloads
        context: object = [job.context for job in call.jobs]
        if call.handler.batch_size is None:
            payload, context = payloads[0], call.jobs[0].context
            current_context.set(call.jobs[0].context)
        if call.handler.in_process is not None:
            return await self._in_child(call, call.handler.in_process, payload, context)
        if not call.handler.is_async:
            return await self._in_thread(call, payload, context)
        return self._of_result(call, await cast("Awaitable[object]", call.handler.call(payload, context)))

    async def _in_thread(self, call: Call, payload: object, context: object) -> Sequence[Conclusion]:
        """Call a blocking handler. If it is stopped its endings are told at once, but it keeps its slots until its thread is free."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._bench.slots.count, thread_name_prefix="taskfleet-task")
        loop = asyncio.get_running_loop()
        thread = loop.run_in_executor(self._threads, copy_context().run, _call, call.handler, payload, context)
        try:
            result, error = await asyncio.shield(thread)
        except asyncio.CancelledError as cancelled:
            self._end_cancelled(call, cancelled)
            for job in call.jobs:
                _log.warning("task.lingers", extra={"task_id": job.task.task_id, "kind": job.task.kind, "reason": str(job.stopped)})
            await asyncio.wait([thread])
            return ()
        if error is not None:
            return self._of_error(call, error)
        # A plain function may hand on what an async one returned, as decorators do.
        return self._of_result(call, await result if isawaitable(result) else result)

    async def _in_child(self, call: Call, handler: Reference, payload: object, context: object) -> Sequence[Conclusion]:
        """Call a function in a child process, which is killed if the call is cancelled."""
        from taskfleet_worker.runtime.child import Request
        from taskfleet_worker.runtime.children import Children

        if self._children is None:
            self._children = Children()
        request = Request(
            handler=handler,
            tasks=call.tasks,
            is_batch=call.handler.batch_size is not None,
            arguments=pickle.dumps((payload, context)),
            overload_pause_seconds=self._bench.overload_pause_seconds,
        )
        return await self._children.call(request)

    def _of_result(self, call: Call, result: object) -> Sequence[Conclusion]:
        is_batch = call.handler.batch_size is not None
        return conclude_result(call.tasks, result, is_batch=is_batch, overload_pause_seconds=self._bench.overload_pause_seconds)

    def _of_error(self, call: Call, error: BaseException) -> Sequence[Conclusion]:
        return conclude_error(call.tasks, error, overload_pause_seconds=self._bench.overload_pause_seconds)

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
            return self._end_all(call, self._of_error(call, error))
        for job in call.jobs:
            record = None if job.stopped is None else record_of_stop(job.task, job.stopped)
            self._end(job, None if record is None else Conclusion(record=record))
        return None

    def _end(self, job: Job, conclusion: Conclusion | None) -> None:
        """Put the ending of a job into the outbox, unless its lease is lost."""
        now = self._bench.clock()
        if job.timer is not None:
            job.timer.cancel()
        if job.stopped is StopReason.LEASE_LOST or conclusion is None:
            return self._bench.lost(job.task, now - job.started)
        self._forget(job)
        record = conclusion.record
        if isinstance(record, Failure) and record.missing_entity is not None:
            self._bench.missing.remember(record.missing_entity, now=now)
        ending = Ending(
            task=job.task,
            record=record,
            seconds=now - job.started,
            ended_at=now,
            pause_seconds=conclusion.pause_seconds,
            message=conclusion.message,
        )
        self._bench.outbox.add(ending)
        return None

    def _leave(self, call: Call, conclusions: Sequence[Conclusion]) -> None:
        """The call is over: its slots are free, or pause."""
        self._calls.discard(call)
        now = self._bench.clock()
        for job, conclusion in zip_longest(call.jobs, conclusions):
            pause = 0.0 if conclusion is None else conclusion.pause_seconds
            self._bench.slots.give_back(pause_until=now + pause if pause else None)
            self._bench.admission.ended(job.task.kind)
        self._bench.news()

    def _forget(self, job: Job) -> None:
        if self._running.get(job.task.task_id) is job:
            del self._running[job.task.task_id]
        if not self._running:
            self._emptied.set()


def _call(handler: Handler, payload: object, context: object) -> tuple[object, BaseException | None]:
    """Call a blocking handler; errors come back as values, since a StopIteration cannot cross a future."""
    try:
        return handler.call(payload, context), None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - handed on to where handlers' errors are judged
        return None, error
