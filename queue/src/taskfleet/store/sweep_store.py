"""What people's cleaning does, one bounded batch a call: each one transaction, under the lock of its job, audited in it.

The jobs of maintenance take the same locks: a command and a job never work on the same rows at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, TypeVar

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from taskfleet.errors import JobBusyError
from taskfleet.store.audit import AuditEntry, append_audit
from taskfleet.store.connection import Database

_Connection = AsyncConnection[Any]
_Answer = TypeVar("_Answer")
_FIRST_ID = -(2**63)
_LOCK_TRIES = 200
_LOCK_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Limits in seconds that a person asks for; None: what each queue's policy says."""

    waiting_seconds: float | None = None
    """Never takes a queue below its wait goal or its stale lane's wait."""
    running_seconds: float | None = None
    failed_seconds: float | None = None
    succeeded_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class KindLimits:
    """How long tasks of one kind may wait, run and be kept, and the moments before which each has passed."""

    queue: str
    queue_id: int
    kind: str
    kind_id: int
    has_policy: bool
    stopped: bool
    """Held or paused: the clock of expiry stands still."""
    waiting_seconds: float
    waiting_before: datetime
    running_seconds: float
    running_before: datetime
    failed_seconds: float
    failed_before: datetime
    succeeded_seconds: float
    succeeded_before: datetime


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What the dead letters of ended tasks say."""

    state: str
    reason: str
    code: str
    message: str

    @property
    def values(self) -> list[str]:
        """In the order that the functions of the database take."""
        return [self.state, self.reason, self.code, self.message]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a sweep goes on."""

    tried: bool = False
    at: datetime | str = "-infinity"
    task_id: int = 0


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What one batch of a sweep over waiting tasks did."""

    matched: int
    after: Place | None
    """Where to go on; None: it is through."""


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day's partition of successes."""

    partition: str
    day: date


@dataclass(frozen=True, kw_only=True)
class DaySweep:
    """What one batch of a sweep over a day did."""

    matched: int
    after_id: int | None
    """Where to go on; None: it is through."""


@dataclass(frozen=True, kw_only=True)
class _Seen:
    seen: int
    matched: int
    last_id: int | None
    last_at: datetime | None = None


class SweepStore:
    """One method a step of cleaning.

    Those that change something wait up to ten seconds for maintenance to finish its batch, then raise JobBusyError. All raise
    DatabaseUnreachableError when the database cannot be reached or does not answer in time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def limits(self, *, queue: str | None, kind: str | None, overrides: Overrides) -> Sequence[KindLimits]:
        """The limits of every kind, or of those named, by queue and kind."""
        parameters = {
            "queue": queue,
            "kind": kind,
            "waiting_seconds": overrides.waiting_seconds,
            "running_seconds": overrides.running_seconds,
            "failed_seconds": overrides.failed_seconds,
            "succeeded_seconds": overrides.succeeded_seconds,
        }

        async def work(connection: _Connection) -> Sequence[KindLimits]:
            cursor = connection.cursor(row_factory=class_row(KindLimits))
            await cursor.execute(self._database.query("kind_limits"), parameters)
            return await cursor.fetchall()

        return await self._database.run(work)

    async def sweep_waiting(
        self, kind: KindLimits, place: Place, *, group: str | None, limit: int, act: tuple[Ending, AuditEntry] | None
    ) -> Sweep:
        """End the next waiting tasks that are past their limit, and write it down; with no act only count them."""
        ending, audit = act or (None, None)
        parameters = {
            "kind_id": kind.kind_id,
            "group": group,
            "due_before": kind.waiting_before,
            "tried": place.tried,
            "after_at": place.at,
            "after_id": place.task_id,
            "limit": limit,
            "ending": None if ending is None else ending.values,
        }

        async def work(connection: _Connection) -> Sweep:
            seen = await self._seen(connection, "sweep_waiting", parameters)
            await self._note(connection, audit, seen.matched)
            return Sweep(matched=seen.matched, after=_next_place(place, seen, limit=limit))

        return await (self._database.run(work) if ending is None else self._locked("expire_waiting", work))

    async def count_running(self, kind: KindLimits) -> int:
        """How many have run for too long."""
        parameters = {"kind_id": kind.kind_id, "started_before": kind.running_before}
        return await self._database.run(lambda connection: self._number(connection, "count_running", parameters))

    async def end_running(self, kind: KindLimits, *, limit: int, ending: Ending, audit: AuditEntry) -> int:
        """End tasks that have run for too long, for good; fewer than `limit`: there are no more."""
        parameters = {"kind_id": kind.kind_id, "started_before": kind.running_before, "limit": limit, "ending": ending.values}
        return await self._locked("time_out_running", lambda connection: self._noted(connection, "end_running", parameters, audit))

    async def count_dead_letters(self, kind: KindLimits) -> int:
        """How many failed and cancelled tasks are past their retention."""
        parameters = {"kind_id": kind.kind_id, "failed_before": kind.failed_before}
        return await self._database.run(lambda connection: self._number(connection, "count_old_dead_letters", parameters))

    async def trim_dead_letters(self, kind: KindLimits, *, limit: int, audit: AuditEntry) -> int:
        """Forget failed and cancelled tasks past their retention; fewer than `limit`: there are no more."""
        parameters = {"kind_id": kind.kind_id, "failed_before": kind.failed_before, "limit": limit}
        return await self._locked(
            "trim_dead_letters", lambda connection: self._noted(connection, "trim_kind_dead_letters", parameters, audit)
        )

    async def old_days(self, kind: KindLimits, *, again: bool) -> Sequence[Day]:
        """Days of successes wholly past the retention of the kind's queue, oldest first; `again`: also those gone through before."""
        parameters = {"queue_id": kind.queue_id, "before": kind.succeeded_before, "again": again}

        async def work(connection: _Connection) -> Sequence[Day]:
            cursor = connection.cursor(row_factory=class_row(Day))
            await cursor.execute(self._database.query("untrimmed_days"), parameters)
            return await cursor.fetchall()

        return await self._database.run(work)

    async def trim_day(self, day: Day, kind_ids: Sequence[int], *, after_id: int | None, limit: int, audit: AuditEntry | None) -> DaySweep:
        """Forget successes of some kinds among the next rows of a day; without an audit entry only count them."""
        parameters = {
            "partition": day.partition,
            "kind_ids": list(kind_ids),
            "after_id": _FIRST_ID if after_id is None else after_id,
            "limit": limit,
            "dry_run": audit is None,
        }

        async def work(connection: _Connection) -> DaySweep:
            seen = await self._seen(connection, "trim_succeeded", parameters)
            await self._note(connection, audit, seen.matched)
            return DaySweep(matched=seen.matched, after_id=seen.last_id if seen.seen == limit else None)

        return await (self._database.run(work) if audit is None else self._locked("trim_succeeded", work))

    async def prune_audit(self, filters: Mapping[str, object], place: Place, *, limit: int, audit: AuditEntry | None) -> Sweep:
        """Forget the next audit entries that match, and write that down; without an audit entry only count them."""
        parameters = {**filters, "after_at": place.at, "after_id": place.task_id, "limit": limit, "dry_run": audit is None}

        async def work(connection: _Connection) -> Sweep:
            seen = await self._seen(connection, "prune_audit", parameters)
            await self._note(connection, audit, seen.matched)
            more = seen.seen == limit and seen.last_at is not None and seen.last_id is not None
            return Sweep(matched=seen.matched, after=Place(at=seen.last_at or "-infinity", task_id=seen.last_id or 0) if more else None)

        return await (self._database.run(work) if audit is None else self._locked("trim_audit", work))

    async def mark_trimmed(self, queue_id: int, day: Day) -> None:
        """Remember that a day holds no successes of a queue any more."""

        async def work(connection: _Connection) -> None:
            await connection.execute(self._database.query("mark_trimmed"), {"queue_id": queue_id, "day": day.day})

        await self._database.run(work)

    async def write_audit(self, entry: AuditEntry) -> None:
        """Write an entry by itself: the summary at the end."""
        await self._database.run(lambda connection: append_audit(self._database, connection, entry))

    async def _locked(self, job: str, work: Callable[[_Connection], Awaitable[_Answer]]) -> _Answer:
        """One transaction under the lock of a job; its schedule is left alone."""

        async def tried(connection: _Connection) -> tuple[_Answer] | None:
            async with connection.transaction():
                cursor = connection.cursor(row_factory=scalar_row)
                await cursor.execute(self._database.query("lock_job"), {"job": job})
                return (await work(connection),) if await cursor.fetchone() else None

        for _ in range(_LOCK_TRIES):
            if (answer := await self._database.run(tried)) is not None:
                return answer[0]
            await asyncio.sleep(_LOCK_PAUSE_SECONDS)
        raise JobBusyError(job=job, seconds=_LOCK_TRIES * _LOCK_PAUSE_SECONDS)

    async def _noted(self, connection: _Connection, query: str, parameters: Mapping[str, object], audit: AuditEntry) -> int:
        count = await self._number(connection, query, parameters)
        await self._note(connection, audit, count)
        return count

    async def _note(self, connection: _Connection, audit: AuditEntry | None, count: int) -> None:
        if audit is not None and count:
            await append_audit(self._database, connection, replace(audit, detail={**audit.detail, "count": count}))

    async def _seen(self, connection: _Connection, query: str, parameters: Mapping[str, object]) -> _Seen:
        cursor = connection.cursor(row_factory=class_row(_Seen))
        await cursor.execute(self._database.query(query), parameters)
        return await cursor.fetchone() or _Seen(seen=0, matched=0, last_id=None)

    async def _number(self, connection: _Connection, query: str, parameters: Mapping[str, object]) -> int:
        cursor = connection.cursor(row_factory=scalar_row)
        await cursor.execute(self._database.query(query), parameters)
        return int(await cursor.fetchone() or 0)


def _next_place(place: Place, seen: _Seen, *, limit: int) -> Place | None:
    if seen.seen == limit and seen.last_at is not None and seen.last_id is not None:
        return Place(tried=place.tried, at=seen.last_at, task_id=seen.last_id)
    return None if place.tried else Place(tried=True)
