"""Facts about the database itself, for the check. Reads only."""

from collections.abc import Sequence
from typing import Any, LiteralString, TypeVar

from psycopg import AsyncConnection, errors
from psycopg.rows import class_row
from psycopg.sql import SQL, Literal

from taskfleet.inspection.facts import Facts, HorizonHolder, JobFacts, LedgerFault, PartitionFacts, RelationFacts, SessionFacts
from taskfleet.migrations import drift_async
from taskfleet.store.connection import Database

_Connection = AsyncConnection[Any]
_Row = TypeVar("_Row")


class InspectionStore:
    """What `taskfleet check` looks at. Raises DatabaseUnreachableError when the database cannot be reached."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def facts(self, *, ledger_seconds: float) -> Facts:
        """All facts; the ledgers are compared with the truth in one snapshot, for at most so many seconds."""
        # First, so that the horizon is not held by our own counting.
        holders = await self._rows(HorizonHolder, "inspect_horizon")
        return Facts(
            drift=await self._drift(),
            holders=holders,
            relations=await self._rows(RelationFacts, "inspect_relations"),
            partitions=await self._rows(PartitionFacts, "inspect_partitions"),
            sessions=await self._rows(SessionFacts, "inspect_sessions"),
            jobs=await self._rows(JobFacts, "inspect_jobs"),
            ledger_faults=await self._ledger_faults(ledger_seconds),
            ledger_seconds=ledger_seconds,
        )

    async def _drift(self) -> Sequence[str]:
        async def work(connection: _Connection) -> Sequence[str]:
            return tuple(found.message for found in await drift_async(connection, schema=self._database.schema))

        return await self._database.run(work)

    async def _ledger_faults(self, seconds: float) -> Sequence[LedgerFault] | None:
        """None: it took too long."""

        async def work(connection: _Connection) -> Sequence[LedgerFault] | None:
            try:
                async with connection.transaction():
                    await connection.execute(SQL("SET LOCAL statement_timeout = {}").format(Literal(round(seconds * 1000))))
                    return await self._fetch(connection, LedgerFault, self._database.query("inspect_ledgers"))
            except errors.QueryCanceled:
                return None

        return await self._database.run(work)

    async def _rows(self, row: type[_Row], query: str) -> Sequence[_Row]:
        return await self._database.run(lambda connection: self._fetch(connection, row, self._database.query(query)))

    async def _fetch(self, connection: _Connection, row: type[_Row], query: LiteralString) -> Sequence[_Row]:
        cursor = connection.cursor(row_factory=class_row(row))
        await cursor.execute(query)
        return await cursor.fetchall()
