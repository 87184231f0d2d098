"""What keeps the queue healthy, as single bounded batches: each one transaction, under the lock of its job.

A batch may be cut off anywhere and run again; whoever is up runs it. The schedule is in `taskfleet.maintenance`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, errors
from psycopg.rows import scalar_row

from taskfleet.store.connection import Database
from taskfleet.store.partitions import drop_partition, old_partitions
from taskfleet.store.recurring import run_due
from taskfleet.store.sweep_store import SweepStore

_Connection = AsyncConnection[Any]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What one batch did."""

    ran: bool
    """False: not due yet, or another process is at it."""
    handled: int = 0
    more: bool = False
    """It was full: there may be more."""


class MaintenanceStore:
    """One method a job. `due_seconds` is how long ago the job must have run last, by anybody; 0 goes on where a full batch stopped.

    All methods raise DatabaseUnreachableError when the database cannot be reached or does not answer in time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.sweeps = SweepStore(database)
        """What people's cleaning and the nightly one have in common."""

    @property
    def database(self) -> Database:
        """The database that this looks after."""
        return self._database

    async def begin(self, job: str, *, due_seconds: float) -> bool:
        """Whether a job of many transactions may start: it is due, and it counts as run from now on."""
        return (await self._batch(job, (), {}, due_seconds=due_seconds)).ran

    async def begin_nightly(self, job: str, *, hour: float) -> bool:
        """Whether a nightly job may start: its hour (UTC) has come since it ran last, and it counts as run from now on."""

        async def work(connection: _Connection) -> bool:
            cursor = await connection.execute(self._database.query("begin_nightly"), {"job": job, "hour": hour})
            return await cursor.fetchone() is not None

        return await self._database.run(work)

    async def preview(self, settings: Mapping[str, object]) -> Mapping[str, int]:
        """What each job would find to do now, at most 10,000 of each; changes nothing."""

        async def work(connection: _Connection) -> Mapping[str, int]:
            cursor = await connection.execute(self._database.query("preview_maintenance"), settings)
            return {row[0]: int(row[1]) for row in await cursor.fetchall()}

        return await self._database.run(work)

    async def fail_unserved(self, *, due_seconds: float, limit: int, after_seconds: float) -> Batch:
        """Fail tasks of kinds for which no live worker has had a handler for a while."""
        parameters = {"limit": limit, "after_seconds": after_seconds}
        return await self._batch("fail_unserved", ("fail_unserved",), parameters, due_seconds=due_seconds)

    async def trim_audit(self, *, due_seconds: float, limit: int, older_than_seconds: float) -> Batch:
        """Forget old audit entries; 0 seconds keeps them all. Left to others by who may not read the log: workers, the operator."""
        if older_than_seconds == 0:
            return Batch(ran=False)
        parameters = {"limit": limit, "older_than_seconds": older_than_seconds}
        try:
            return await self._batch("trim_audit", ("trim_audit",), parameters, due_seconds=due_seconds)
        except errors.InsufficientPrivilege:
            return Batch(ran=False)

    async def recover_leases(self, *, due_seconds: float, limit: int) -> Batch:
        """Take back what workers held that were not heard of for a whole lease (an attempt is used up), or that have said goodbye."""
        queries = ("recover_leases", "release_closed")
        return await self._batch("recover_leases", queries, {"limit": limit}, due_seconds=due_seconds)

    async def time_out_running(self, *, due_seconds: float, limit: int) -> Batch:
        """End attempts that run past their deadline."""
        return await self._batch("time_out_running", ("time_out_running",), {"limit": limit}, due_seconds=due_seconds)

    async def expire_waiting(self, *, due_seconds: float, limit: int) -> Batch:
        """End tasks that waited longer than their queue allows."""
        return await self._batch("expire_waiting", ("expire_waiting",), {"limit": limit}, due_seconds=due_seconds)

    async def carry_out_requests(self, *, due_seconds: float, limit: int) -> Batch:
        """Go on with what people asked for: cancels that no worker has heard, groups that are being paused or resumed."""
        queries = ("sweep_cancel_requests", "move_groups")
        return await self._batch("carry_out_requests", queries, {"limit": limit}, due_seconds=due_seconds)

    async def fold_ledgers(self, *, due_seconds: float, limit: int) -> Batch:
        """Fold the three ledgers into their sums, and let old backlog buckets grow wider."""
        queries = ("fold_backlog", "fold_outcomes", "fold_states", "widen_backlog", "drop_empty_buckets")
        return await self._batch("fold_ledgers", queries, {"limit": limit}, due_seconds=due_seconds)

    async def create_partitions(self, *, due_seconds: float, days_ahead: int) -> Batch:
        """Make the daily partitions of the coming days."""
        parameters = {"days_ahead": days_ahead, "limit": None}
        return await self._batch("create_partitions", ("create_partitions",), parameters, due_seconds=due_seconds)

    async def trim_dead_letters(self, *, due_seconds: float, limit: int) -> Batch:
        """Forget failed and cancelled tasks whose retention has passed."""
        return await self._batch("trim_dead_letters", ("trim_dead_letters",), {"limit": limit}, due_seconds=due_seconds)

    async def trim_memory(self, *, due_seconds: float, limit: int, memory_seconds: float, sessions_seconds: float) -> Batch:
        """Forget missing entities, decisions, minutes and sessions that are over."""
        parameters = {"limit": limit, "memory_seconds": memory_seconds, "sessions_seconds": sessions_seconds}
        return await self._batch("trim_memory", ("trim_memory",), parameters, due_seconds=due_seconds)

    async def drop_old_partitions(
        self, *, due_seconds: float, least_seconds: float, audit_seconds: float = 0, lock_seconds: float
    ) -> Batch:
        """Drop daily partitions that nobody keeps any longer. One that a reader holds is left for the next run."""
        if not await self.begin("drop_old_partitions", due_seconds=due_seconds):
            return Batch(ran=False)
        dropped = 0
        for partition in await old_partitions(self._database, least_seconds=least_seconds, audit_seconds=audit_seconds):
            dropped += await drop_partition(self._database, partition, lock_seconds=lock_seconds)
        return Batch(ran=True, handled=dropped)

    async def run_schedules(self, *, due_seconds: float, limit: int) -> Batch:
        """Enqueue recurring tasks whose tick has come: one a schedule, however many ticks were missed."""

        async def work(connection: _Connection) -> Batch:
            async with self._begun(connection, "run_schedules", due_seconds=due_seconds) as begun:
                if not begun:
                    return Batch(ran=False)
                handled, more = await run_due(connection, self._database, limit=limit)
            return Batch(ran=True, handled=handled, more=more)

        return await self._database.run(work)

    async def _batch(self, job: str, queries: tuple[str, ...], parameters: Mapping[str, object], *, due_seconds: float) -> Batch:
        async def work(connection: _Connection) -> Batch:
            async with self._begun(connection, job, due_seconds=due_seconds) as begun:
                if not begun:
                    return Batch(ran=False)
                counts = [await self._count(connection, query, parameters) for query in queries]
            limit = parameters.get("limit")
            return Batch(ran=True, handled=sum(counts), more=limit is not None and max(counts, default=0) >= int(str(limit)))

        return await self._database.run(work)

    @asynccontextmanager
    async def _begun(self, connection: _Connection, job: str, *, due_seconds: float) -> AsyncIterator[bool]:
        """A transaction under the lock of a job; False, mostly without one, when it is not due or another process is at it."""
        parameters = {"job": job, "due_seconds": due_seconds}
        cursor = connection.cursor(row_factory=scalar_row)
        if due_seconds > 0:
            await cursor.execute(self._database.query("job_is_due"), parameters)
            if not await cursor.fetchone():
                yield False
                return
        async with self._database.transaction(connection):
            await cursor.execute(self._database.query("begin_job"), parameters)
            yield await cursor.fetchone() is not None

    async def _count(self, connection: _Connection, query: str, parameters: Mapping[str, object]) -> int:
        cursor = connection.cursor(row_factory=scalar_row)
        await cursor.execute(self._database.query(query), parameters)
        return int(await cursor.fetchone() or 0)
