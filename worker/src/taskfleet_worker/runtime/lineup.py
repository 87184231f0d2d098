"""Tasks that have a slot and wait for their turn.

Nothing is made of them before: context, payload and call are made when a task begins and are gone soon after, while they are still in the
processor's cache. Five hundred of each made at once would be fetched from memory again, and walked over by the garbage collector.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence, Sized
from typing import cast

from taskfleet.models import ClaimedTask, Failure, LeaseRef
from taskfleet_worker.context import Context, Hear
from taskfleet_worker.registry import Handler
from taskfleet_worker.rules.endings import record_of_error, record_of_missing_entity, record_of_unknown_kind
from taskfleet_worker.runtime.bench import Bench
from taskfleet_worker.runtime.calls import Call


class Lineup:
    """Claimed tasks in the order in which they begin; each has a slot."""

    def __init__(self, bench: Bench, *, hear: Hear, refuse: Callable[[ClaimedTask, Failure], None]) -> None:
        self._bench = bench
        self._clock = bench.clock
        self._hear = hear
        self._refuse = refuse
        """Called for a task that has left its slot, since its handler would be called in vain."""
        self._waiting: deque[ClaimedTask] = deque()

    @property
    def waiting(self) -> Sized:
        """Those that wait; always the same object."""
        return self._waiting

    def __len__(self) -> int:
        """Tasks that wait."""
        return len(self._waiting)

    def put(self, tasks: Sequence[ClaimedTask]) -> None:
        """Give each of these tasks a slot; they wait behind the others."""
        self._bench.slots.take(len(tasks))
        for task in tasks if self._bench.admission.limited else ():
            self._bench.admission.taken(task.kind)
        self._waiting.extend(tasks)

    def next_call(self) -> Call | None:
        """The call of what is next, its time running; None where that was refused."""
        task = self._waiting.popleft()
        handler = self._bench.handlers.get(task.kind)
        if handler is not None and handler.batch_size is not None:
            return self._batch(handler, [task, *self._more(task.kind, handler.batch_size - 1)])
        payload = record_of_unknown_kind(task) if handler is None else self._payload(handler, task)
        if handler is None or type(payload) is Failure:
            self._refuse_next(task, cast("Failure", payload))
            return None
        started = self._starts(task.kind)
        # By position: it is made for every task.
        return Call(handler, (task,), payload, Context(task, self._clock, self._hear, started), started)

    def drop(self, leases: Iterable[LeaseRef]) -> Sequence[ClaimedTask]:
        """Take out the tasks of these leases, and return those that waited here."""
        unwanted = frozenset(leases) if self._waiting else frozenset()
        return self._take_out([task for task in self._waiting if task.lease in unwanted])

    def clear(self) -> Sequence[ClaimedTask]:
        """Take out all."""
        return self._take_out(list(self._waiting))

    def leases(self) -> Iterable[LeaseRef]:
        """The leases of all that wait."""
        return [task.lease for task in self._waiting]

    def _take_out(self, unwanted: Sequence[ClaimedTask]) -> Sequence[ClaimedTask]:
        if unwanted:
            tokens = {task.lease for task in unwanted}
            kept = [task for task in self._waiting if task.lease not in tokens]
            self._waiting.clear()
            self._waiting.extend(kept)
        for task in unwanted:
            self._bench.slots.give_back()
            self._bench.admission.withdrawn(task.kind)
        return unwanted

    def _more(self, kind: str, most: int) -> Sequence[ClaimedTask]:
        """Take out the next tasks of this kind, at most so many; the others keep their order."""
        taken: list[ClaimedTask] = []
        passed: list[ClaimedTask] = []
        while self._waiting and len(taken) < most:
            task = self._waiting.popleft()
            (taken if task.kind == kind else passed).append(task)
        self._waiting.extendleft(reversed(passed))
        return taken

    def _batch(self, handler: Handler, tasks: Sequence[ClaimedTask]) -> Call | None:
        fit: list[ClaimedTask] = []
        payloads: list[object] = []
        for task in tasks:
            payload = self._payload(handler, task)
            if type(payload) is Failure:
                self._refuse_next(task, payload)
            else:
                fit.append(task)
                payloads.append(payload)
        if not fit:
            return None
        started = self._starts(handler.kind)
        contexts = [Context(task, self._clock, self._hear, started) for task in fit] if handler.wants_context else ()
        return Call(handler, fit, payloads, contexts, started)

    def _payload(self, handler: Handler, task: ClaimedTask) -> object:
        """What the handler takes; a Failure where calling it would be in vain."""
        if task.entity is not None and (task.entity_missing or self._bench.missing.knows(task.entity, now=self._clock())):
            return record_of_missing_entity(task)
        try:
            return handler.decode(task.payload)
        except Exception as error:  # noqa: BLE001 - people's types may raise what they like
            return record_of_error(task, error, overload_pause_seconds=0.0)

    def _starts(self, kind: str) -> float:
        """The moment in which a task, or a batch, of this kind starts: now."""
        now = self._clock()
        if self._bench.admission.limited:
            self._bench.admission.started(kind, now=now)
            # Only now does the intake know when the next of its kind may start.
            self._bench.news()
        return now

    def _refuse_next(self, task: ClaimedTask, record: Failure) -> None:
        self._bench.slots.give_back()
        self._bench.admission.withdrawn(task.kind)
        self._refuse(task, record)
