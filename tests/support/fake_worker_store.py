"""The worker's store in memory: for tests of the runtime that need no SQL. Held to the real one by tests/contracts."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

from taskfleet.models import (
    Claim,
    ClaimedTask,
    Completion,
    Failure,
    HeartbeatAnswer,
    LeaseNote,
    LeaseRef,
    Mark,
    NewSession,
    Release,
    Settled,
    Settlement,
)
from taskfleet.words import Verdict

Answer = TypeVar("Answer")
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(kw_only=True)
class StoredTask:
    """A task with what happened to it."""

    task_id: int
    kind: str
    payload: object
    entity: str | None
    headers: dict[str, str] | None
    max_attempts: int
    timeout_seconds: float | None
    attempts: int = 0
    state: str = "ready"
    code: str = ""
    delay_seconds: float = 0.0
    lease: LeaseRef | None = None
    session: UUID | None = None


@dataclass(kw_only=True)
class StoredSession:
    new: NewSession
    draining: bool = False
    drained: bool = False


@dataclass(kw_only=True)
class Faults:
    """What goes wrong next."""

    before: list[Exception] = field(default_factory=list)
    """Raised instead of doing anything, one per call."""
    after: list[Exception] = field(default_factory=list)
    """Raised after the work was done: the answer is lost."""
    hold: asyncio.Event | None = None
    """Calls that write or claim wait for it."""
    refuse: Callable[[Settlement], Exception | None] = lambda _settlement: None
    """An error for a settlement whose content the database refuses."""


class FakeWorkerStore:
    """One queue in memory. Delayed tasks (retries, releases) are ready at once unless `keeps_delays`."""

    def __init__(self, *, keeps_delays: bool = False) -> None:
        self.tasks: dict[int, StoredTask] = {}
        self.sessions: dict[UUID, StoredSession] = {}
        self.missing: set[str] = set()
        self.cancelled: set[int] = set()
        self.faults = Faults()
        self.limited: set[str] = set()
        """Kinds with a quota or a rate; the fake does not keep to any."""
        self.notes: list[LeaseNote] = []
        """What handlers said, as it was written."""
        self.trips: list[str] = []
        self.asked: list[tuple[Sequence[str], int, Sequence[Mark], int]] = []
        self.verdict: Verdict | None = None
        """What an empty claim says instead of idle."""
        self._keeps_delays = keeps_delays
        self._ids = itertools.count(1)

    # What tests do.

    def enqueue(
        self,
        kind: str,
        payload: object = None,
        *,
        entity: str | None = None,
        headers: dict[str, str] | None = None,
        max_attempts: int = 3,
        timeout_seconds: float | None = None,
    ) -> int:
        task_id = next(self._ids)
        self.tasks[task_id] = StoredTask(
            task_id=task_id,
            kind=kind,
            payload=payload,
            entity=entity,
            headers=headers,
            max_attempts=max_attempts,
            timeout_seconds=timeout_seconds,
        )
        return task_id

    def lose_session(self, session_id: UUID) -> None:
        """Its lease ran out: what it held may be claimed by others, one attempt used."""
        del self.sessions[session_id]
        for task in self.tasks.values():
            if task.session == session_id:
                self._requeue(task)

    def steal(self, task_id: int) -> None:
        """Somebody else finished the task."""
        task = self.tasks[task_id]
        task.lease, task.session, task.state = None, None, "stolen"

    def states(self) -> dict[int, str]:
        return {task_id: task.state for task_id, task in self.tasks.items()}

    @property
    def session_id(self) -> UUID:
        """The newest session."""
        return list(self.sessions)[-1]

    # What the worker does.

    async def open_session(self, session: NewSession) -> None:
        await self._begin("open")
        self.sessions[session.session_id] = StoredSession(new=session)

    async def close_session(self, session_id: UUID) -> int:
        await self._begin("close")
        held = [task for task in self.tasks.values() if task.session == session_id]
        for task in held:
            task.attempts -= 1
            self._requeue(task)
        self.sessions.pop(session_id, None)
        return len(held)

    async def heartbeat(self, session_id: UUID, *, held: Sequence[LeaseRef]) -> HeartbeatAnswer:
        await self._begin("heartbeat")
        session = self.sessions.get(session_id)
        if session is None:
            return HeartbeatAnswer(known=False)
        lost = [lease.task_id for lease in held if self.tasks[lease.task_id].lease != lease]
        cancelled = [lease.task_id for lease in held if lease.task_id in self.cancelled]
        return HeartbeatAnswer(draining=session.draining, lost=lost, cancelled=cancelled)

    async def mark_drained(self, session_id: UUID) -> bool:
        await self._begin("drained")
        session = self.sessions.get(session_id)
        holds = any(task.session == session_id for task in self.tasks.values())
        if session is None or not session.draining or holds:
            return False
        session.drained = True
        return True

    async def note(self, notes: Sequence[LeaseNote]) -> Sequence[int]:
        await self._begin("note")
        lost = [note.lease.task_id for note in notes if self.tasks[note.lease.task_id].lease != note.lease]
        self.notes.extend(note for note in notes if note.lease.task_id not in lost)
        return self._end(lost)

    async def low_water_marks(self, queue: str, *, kinds: Sequence[str]) -> Sequence[Mark]:
        await self._begin("marks")
        waiting = {task.kind for task in self.tasks.values() if task.state == "ready"}
        return [Mark(kind=kind, priority=5, run_at=START) for kind in kinds if kind in waiting]

    async def limited_kinds(self, queue: str, *, kinds: Sequence[str]) -> Sequence[str]:
        await self._begin("limits")
        return [kind for kind in kinds if kind in self.limited]

    async def queue_kinds(self, queue: str) -> Sequence[str]:
        await self._begin("kinds")
        return sorted({task.kind for task in self.tasks.values()})

    async def claim(self, session_id: UUID, *, kinds: Sequence[str], limit: int, marks: Sequence[Mark] = (), stale_slots: int = 0) -> Claim:
        await self._begin("claim")
        return self._end(self._claim(session_id, kinds, limit, marks, stale_slots))

    async def settle(self, settlement: Settlement) -> Settled:
        await self._begin("settle")
        return self._end(self._settle(settlement))

    async def settle_and_claim(
        self,
        settlement: Settlement,
        session_id: UUID,
        *,
        kinds: Sequence[str],
        limit: int,
        marks: Sequence[Mark] = (),
        stale_slots: int = 0,
    ) -> tuple[Settled, Claim]:
        await self._begin("settle_and_claim")
        settled = self._settle(settlement)
        return self._end((settled, self._claim(session_id, kinds, limit, marks, stale_slots)))

    # How it does it.

    async def _begin(self, trip: str) -> None:
        self.trips.append(trip)
        if self.faults.hold is not None and ("claim" in trip or "settle" in trip):
            await self.faults.hold.wait()
        await asyncio.sleep(0)
        if self.faults.before:
            raise self.faults.before.pop(0)

    def _end(self, answer: Answer) -> Answer:
        if self.faults.after:
            raise self.faults.after.pop(0)
        return answer

    def _claim(self, session_id: UUID, kinds: Sequence[str], limit: int, marks: Sequence[Mark], stale_slots: int) -> Claim:
        self.asked.append((kinds, limit, marks, stale_slots))
        session = self.sessions.get(session_id)
        if session is None:
            return Claim(verdict=Verdict.SESSION_LOST)
        if session.draining:
            return Claim(verdict=Verdict.DRAINING)
        ready = [task for task in self.tasks.values() if task.state == "ready" and task.kind in kinds]
        token = uuid4()
        tasks = tuple(self._lease(task, session_id, token) for task in ready[:limit])
        return Claim(verdict=Verdict.CLAIMED if tasks else self.verdict or Verdict.IDLE, tasks=tasks)

    def _lease(self, task: StoredTask, session_id: UUID, token: UUID) -> ClaimedTask:
        task.state, task.session, task.lease = "running", session_id, LeaseRef(task_id=task.task_id, token=token)
        task.attempts += 1
        return ClaimedTask(
            task_id=task.task_id,
            token=token,
            kind=task.kind,
            payload=task.payload,
            headers=task.headers,
            group=None,
            entity=task.entity,
            priority=5,
            attempt=task.attempts,
            max_attempts=task.max_attempts,
            run_at=START + timedelta(seconds=task.task_id),
            waited_seconds=0.1,
            timeout_seconds=task.timeout_seconds,
            entity_missing=task.entity in self.missing,
        )

    def _settle(self, settlement: Settlement) -> Settled:
        error = self.faults.refuse(settlement)
        if error is not None:
            raise error
        settled = Settled()
        records: list[Completion | Failure | Release] = [*settlement.completions, *settlement.failures, *settlement.releases]
        for record in records:
            task = self.tasks[record.lease.task_id]
            if task.lease != record.lease:
                settled = replace(settled, stale=(*settled.stale, task.task_id))
            elif self._write(task, record):
                settled = replace(settled, retried=(*settled.retried, task.task_id))
            else:
                settled = replace(settled, finished=(*settled.finished, task.task_id))
        return settled

    def _write(self, task: StoredTask, record: Completion | Failure | Release) -> bool:
        """Write one ending; True if the task is back in the queue."""
        if isinstance(record, Completion):
            task.state, task.lease, task.session = "succeeded", None, None
            return False
        task.code = record.code
        if isinstance(record, Release):
            task.attempts -= 1
            task.delay_seconds = record.delay_seconds
            self._requeue(task, delayed=record.delay_seconds > 0)
            return True
        if record.missing_entity is not None:
            self.missing.add(record.missing_entity)
        if record.retryable and task.attempts < task.max_attempts:
            self._requeue(task, delayed=True)
            return True
        task.state, task.lease, task.session = "failed", None, None
        return False

    def _requeue(self, task: StoredTask, *, delayed: bool = False) -> None:
        task.lease, task.session = None, None
        task.state = "scheduled" if delayed and self._keeps_delays else "ready"
