"""Running handlers: every claimed task becomes a job that ends in the outbox, whatever happens to the call it is part of."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from contextlib import suppress
from math import inf

from taskfleet.models import ClaimedTask, Completion, Failure, LeaseNote, LeaseRef, Release
from taskfleet.words import ErrorCode
from taskfleet_worker.rules.conclusions import Conclusion, values_of
from taskfleet_worker.rules.endings import (
    Ending,
    StopReason,
    record_of_cancelled,
    record_of_stop,
)
from taskfleet_worker.runtime.bench import Bench
from taskfleet_worker.runtime.calling import Caller
from taskfleet_worker.runtime.calls import Call, Job
from taskfleet_worker.runtime.deadlines import Deadlines
from taskfleet_worker.runtime.hands import Hands
from taskfleet_worker.runtime.isolation import Begun, Returned
from taskfleet_worker.runtime.lineup import Lineup


class Jobs:
    """The claimed tasks of this process that have a slot: those that wait for their turn, and the jobs of calls that are under way."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._lineup = Lineup(bench, hear=self.hear, refuse=self._refuse)
        self._running: dict[int, Job] = {}
        self._emptied = asyncio.Event()
        """Set when the last task has its ending; what lingers in a thread is not waited for."""
        self._calls: set[Call] = set()
        """Those that wait for something."""
        self._at_hand: ClaimedTask | None = None
        """The task whose handler has the event loop for its first step."""
        self._over = 0
        """Tasks that are over since the loop last had its turn; their slots are given back together."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._caller = Caller(bench, hear=self._heard, stopped=self._end_cancelled)
        self._hands = Hands(self, self._lineup.waiting, clock=bench.clock)
        self._deadlines = Deadlines(self._running.values, self._time_over, clock=bench.clock)

    @property
    def running(self) -> int:
        """Tasks with a slot whose lease we believe to hold."""
        return len(self._running) + len(self._lineup)

    @property
    def lingering(self) -> int:
        """Handlers that still run in threads though nobody wants their result; they keep their slots."""
        wanted = {job.call for job in self._running.values()}
        return len(self._calls - wanted)

    def leases(self) -> Iterable[LeaseRef]:
        """The leases of all of them."""
        return [*(job.task.lease for job in self._running.values()), *self._lineup.leases()]

    def start(self, tasks: Sequence[ClaimedTask]) -> None:
        """Give claimed tasks a slot each; their handlers begin one after the other."""
        self._loop = self._loop or asyncio.get_running_loop()
        self._emptied.clear()
        self._lineup.put(tasks)
        self._hands.call()

    def begin(self, hand: "asyncio.Task[object] | None") -> Awaitable[None] | None:
        """Call the handler of what is next, or end it at once where that would be in vain."""
        call = self._lineup.next_call()
        if call is None:
            return None
        self._at_hand = call.tasks[0]
        if self._running:
            self._stop_older(call.tasks)
        try:
            begun = self._caller.begin(call)
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 - the edge between people's code and ours
            self._over_at_once(call, self._caller.of_error(call, error))
            return None
        finally:
            self._at_hand = None
        if begun is None or isinstance(begun, Begun):
            return self._go_on(call, begun, hand)
        self._returned_at_once(call, begun)
        return None

    def turn_over(self, seconds: float) -> None:
        """Others have their turn: tell of the slots that are free."""
        if self._over:
            # A task that is given a slot now comes after all that wait: that long it would have it.
            self._bench.ran(seconds * (len(self._lineup) + self._over) / self._over, self._over)
        self._free_slots()

    def give_back(self, task: ClaimedTask, code: ErrorCode) -> None:
        """Release a task without having started it."""
        self._refuse(task, Release(lease=task.lease, code=code))

    def give_back_waiting(self, code: ErrorCode) -> None:
        """Release what has a slot and has not begun."""
        for task in self._lineup.clear():
            self.give_back(task, code)

    def refuse_cancelled(self, task: ClaimedTask) -> None:
        """Somebody wants the task stopped before it started."""
        self._refuse(task, record_of_cancelled(task))

    def stop_lost(self, leases: Sequence[LeaseRef]) -> None:
        """These leases are lost: stop their handlers and drop what comes out."""
        for task in self._lineup.drop(leases):
            self._bench.lost(task, 0.0)
        self._stop(leases, StopReason.LEASE_LOST)

    def stop_cancelled(self, leases: Sequence[LeaseRef]) -> None:
        """Somebody wants these tasks stopped."""
        for task in self._lineup.drop(leases):
            self.refuse_cancelled(task)
        self._stop(leases, StopReason.CANCELLED)

    def stop_all(self, reason: StopReason) -> None:
        """Stop every handler, and begin none."""
        self.give_back_waiting(ErrorCode.SHUTDOWN)
        for job in list(self._running.values()):
            self._stop_job(job, reason)

    def abandon(self) -> None:
        """Give back what still runs although it was told to stop; nobody waits for it any more."""
        for job in list(self._running.values()):
            self._end(job, Conclusion(record=Release(lease=job.task.lease, code=ErrorCode.SHUTDOWN)))
            job.stopped = StopReason.LEASE_LOST

    async def finished(self, *, within: float) -> bool:
        """Wait until every task has its ending; False if some still run after so many seconds."""
        if not self.running:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(None if within == inf else within):
                await self._emptied.wait()
        return not self.running

    def task_of(self, hand: "asyncio.Task[object] | None") -> ClaimedTask | None:
        """The task (of a batch: its first) that an asyncio task runs the handler of; may be asked from another thread."""
        if self._at_hand is not None:
            return self._at_hand
        for call in [] if hand is None else list(self._calls):
            if call.hand is hand:
                return call.tasks[0]
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

    def _stop_older(self, tasks: Sequence[ClaimedTask]) -> None:
        """What came back to us under a new lease has lost the old one, though no heartbeat has told us yet."""
        for task in tasks:
            older = self._running.get(task.task_id)
            if older is not None:
                self._stop_job(older, StopReason.LEASE_LOST)

    def _go_on(self, call: Call, begun: Begun | None, hand: "asyncio.Task[object] | None") -> Awaitable[None]:
        self._calls.add(call)
        for job in call.goes_on(hand):
            self._running[job.task.task_id] = job
            self._deadlines.started(job)
        return self._rest_of(call, begun)

    def _returned_at_once(self, call: Call, returned: Returned) -> None:
        values = returned if call.handler.batch_size is None else values_of(returned[0], len(call.tasks))
        if values is None:
            return self._over_at_once(call, self._caller.of_result(call, returned[0]))
        now = self._bench.clock()
        seconds = now - call.started
        # Nearly every task of a busy worker ends here, so without conclusions and by position.
        self._bench.outbox.extend(
            [
                Ending(task, Completion(LeaseRef(task.task_id, task.token), value), seconds, now)
                for task, value in zip(call.tasks, values, strict=True)
            ]
        )
        return self._leave(call, ())

    def _over_at_once(self, call: Call, conclusions: Sequence[Conclusion]) -> None:
        now = self._bench.clock()
        seconds = now - call.started
        for task, conclusion in zip(call.tasks, conclusions, strict=True):
            self._tell(task, conclusion, seconds, now)
        self._leave(call, conclusions)

    def _refuse(self, task: ClaimedTask, record: Failure | Release) -> None:
        """End a task without a call."""
        ending = Ending(task=task, record=record, seconds=0.0, ended_at=self._bench.clock(), ran=False)
        self._bench.outbox.add(ending)
        self._bench.news()
        self._look_if_empty()

    async def _rest_of(self, call: Call, begun: Begun | None) -> None:
        conclusions: Sequence[Conclusion] = ()
        try:
            conclusions = await self._caller.conclude(call, begun)
        except asyncio.CancelledError as error:
            self._end_cancelled(call, error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge between people's code and ours
            conclusions = self._caller.of_error(call, error)
        finally:
            self._calls.discard(call)
            self._end_all(call, conclusions)
            self._leave(call, conclusions)
            self._free_slots()

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
        seconds = now - job.started
        self._bench.ran(seconds, 1)
        if job.stopped is StopReason.LEASE_LOST or conclusion is None:
            return self._bench.lost(job.task, seconds)
        self._forget(job)
        return self._tell(job.task, conclusion, seconds, now)

    def _tell(self, task: ClaimedTask, conclusion: Conclusion, seconds: float, now: float) -> None:
        record = conclusion.record
        if type(record) is Failure and record.missing_entity is not None:
            self._bench.missing.remember(record.missing_entity, now=now)
        # By position: it is made for every task.
        self._bench.outbox.add(Ending(task, record, seconds, now, conclusion.pause_seconds, conclusion.message))

    def _leave(self, call: Call, conclusions: Sequence[Conclusion]) -> None:
        """The call is over: its slots are free, or pause."""
        bench = self._bench
        self._over += len(call.tasks)
        for conclusion in conclusions:
            if conclusion.pause_seconds:
                bench.slots.give_back(pause_until=bench.clock() + conclusion.pause_seconds)
                self._over -= 1
        if bench.admission.limited:
            bench.admission.ended(call.handler.kind, len(call.tasks))

    def _free_slots(self) -> None:
        """Give back the slots of what is over."""
        if self._over:
            self._bench.slots.give_back(self._over)
            self._over = 0
            self._bench.news()
            self._look_if_empty()

    def _forget(self, job: Job) -> None:
        self._bench.notes.forget(job.task)
        if self._running.get(job.task.task_id) is job:
            del self._running[job.task.task_id]
            self._look_if_empty()

    def _look_if_empty(self) -> None:
        if not self.running and self._at_hand is None:
            self._emptied.set()
