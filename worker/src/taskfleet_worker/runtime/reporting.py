"""Tells people and Prometheus what happened to tasks, once the database has confirmed it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskfleet.models import Claim, ClaimedTask, Completion, Failure, Settled
from taskfleet.words import ErrorCode, Outcome
from taskfleet_worker.context import ids_of
from taskfleet_worker.rules.endings import Ending
from taskfleet_worker.rules.slots import Slots
from taskfleet_worker.telemetry.lines import lines_together, log_each
from taskfleet_worker.telemetry.metrics import WorkerMetrics

if TYPE_CHECKING:
    from taskfleet_worker.telemetry.tracing import Tracing

_log = logging.getLogger("taskfleet.worker")

SATURATION_SECONDS = 60.0
"""A worker whose slots are all taken says so once, and again at most this often."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """How the end of an attempt is told."""

    event: str
    level: int
    outcome: Outcome
    code: str


class Reporter:
    """Log lines and counters about tasks."""

    def __init__(self, metrics: WorkerMetrics, slots: Slots, tracing: "Tracing | None" = None) -> None:
        self._metrics = metrics
        self._slots = slots
        self._tracing = tracing
        self._saturated_at = float("-inf")

    def claimed(self, claim: Claim, *, seconds: float) -> None:
        """A claim returned after so long."""
        self._metrics.claims.add(claim.verdict)
        if not claim.tasks:
            return
        self._metrics.observe_waits((task.kind, task.waited_seconds) for task in claim.tasks)
        if _log.isEnabledFor(logging.INFO):
            _log.info("task.claimed", extra={"tasks": [ids_of(task) for task in claim.tasks]})
        if self._tracing is not None:
            self._tracing.claimed(claim.tasks, seconds=seconds)
        self._tell_saturation()

    def settled(self, endings: Sequence[Ending], settled: Settled) -> None:
        """The database answered for these endings."""
        if len(endings) <= 1:
            return self._tell_each(endings, settled)
        with lines_together():
            self._tell_each(endings if settled.stale else self._tell_successes(endings), settled)
        return None

    def _tell_each(self, endings: Sequence[Ending], settled: Settled) -> None:
        stale, retried = frozenset(settled.stale), frozenset(settled.retried)
        for ending in endings:
            task_id = ending.task.task_id
            if task_id in stale:
                self._tell_stale(ending)
            else:
                self._tell(ending, told(ending, retried=task_id in retried))

    def _tell_successes(self, endings: Sequence[Ending]) -> Sequence[Ending]:
        """Tell all that went well in one go, nearly all of a busy worker's; returns the others."""
        good = [ending for ending in endings if type(ending.record) is Completion]
        self._metrics.observe_successes((ending.task.kind, ending.seconds) for ending in good)
        if good:
            log_each(_log, logging.INFO, "task.completed", map(_fields_of, good))
        return [] if len(good) == len(endings) else [ending for ending in endings if type(ending.record) is not Completion]

    def lost(self, task: ClaimedTask, seconds: float) -> None:
        """A handler's result was dropped, because its lease was lost while it ran."""
        self._metrics.leases_lost.add(task.kind)
        _log.warning("task.lease_lost", extra={**ids_of(task), "duration_ms": round(seconds * 1000, 1)})

    def _tell(self, ending: Ending, said: Told) -> None:
        if ending.ran:
            self._metrics.duration(ending.task.kind, said.outcome).observe(ending.seconds)
        elif said.code == ErrorCode.ENTITY_NOT_FOUND:
            self._metrics.short_circuited.add(ending.task.kind)
        if ending.pause_seconds:
            self._metrics.overload_pauses.add(ending.task.kind)
        if not _log.isEnabledFor(said.level):
            return
        fields = _fields_of(ending)
        if not isinstance(ending.record, Completion):
            fields["code"] = said.code
        if isinstance(ending.record, Failure):
            fields["message"] = ending.record.message
        elif ending.message:
            fields["message"] = ending.message
        if not ending.ran:
            fields["ran"] = False
        _log.log(said.level, said.event, extra={"fields": fields})

    def _tell_stale(self, ending: Ending) -> None:
        if ending.tries:
            # An earlier write of it got no answer: it was most likely that write that ended the lease.
            _log.info("task.settled_before", extra={**ids_of(ending.task), "tries": ending.tries})
            return
        self.lost(ending.task, ending.seconds)

    def _tell_saturation(self) -> None:
        now = time.monotonic()
        if self._slots.taken >= self._slots.count and now - self._saturated_at > SATURATION_SECONDS:
            self._saturated_at = now
            _log.info("worker.saturated", extra={"concurrency": self._slots.count})


def _fields_of(ending: Ending) -> dict[str, object]:
    return {**ids_of(ending.task), "duration_ms": round(ending.seconds * 1000, 1)}


def told(ending: Ending, *, retried: bool) -> Told:
    """What is said about an ending that the database accepted; `retried` says that the task is back in the queue."""
    record = ending.record
    if isinstance(record, Completion):
        return Told(event="task.completed", level=logging.INFO, outcome=Outcome.SUCCEEDED, code="")
    if retried:
        outcome = Outcome.RETRIED if isinstance(record, Failure) else Outcome.RELEASED
        return Told(event="task.requeued", level=logging.INFO, outcome=outcome, code=record.code)
    if not isinstance(record, Failure):
        # A task that is given back after its time to wait is over expires in the same statement.
        return Told(event="task.failed", level=logging.WARNING, outcome=Outcome.FAILED, code=ErrorCode.EXPIRED)
    if record.code is ErrorCode.CANCELLED:
        return Told(event="task.cancelled", level=logging.INFO, outcome=Outcome.CANCELLED, code=record.code)
    return Told(event="task.failed", level=logging.WARNING, outcome=Outcome.FAILED, code=record.code)
