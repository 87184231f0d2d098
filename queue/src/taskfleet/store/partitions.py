"""Dropping daily partitions without ever standing in a writer's way."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, errors
from psycopg.rows import class_row
from psycopg.sql import SQL, Composed, Identifier, Literal

from taskfleet.store.audit import AuditEntry, append_audit
from taskfleet.store.connection import Database

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Partition:
    """One day of a time-partitioned relation."""

    relation: str
    partition: str
    detaching: bool
    """A DETACH was cut off and has to be finished."""
    least_seconds: float
    """How long its relation is kept where no queue says more."""


async def old_partitions(database: Database, *, least_seconds: float, audit_seconds: float = 0) -> Sequence[Partition]:
    """Partitions that nobody keeps any longer, oldest first; those of the audit log after a time of its own, 0 is never."""

    async def work(connection: AsyncConnection[Any]) -> Sequence[Partition]:
        cursor = connection.cursor(row_factory=class_row(Partition))
        await cursor.execute(database.query("old_partitions"), {"least_seconds": least_seconds, "audit_seconds": audit_seconds})
        return await cursor.fetchall()

    return await database.run(work)


async def drop_partition(database: Database, partition: Partition, *, lock_seconds: float) -> bool:
    """Take one partition off and drop it; False when somebody reads it.

    DETACH CONCURRENTLY waits for readers without making writers wait behind it (a plain DROP behind one open export blocked every
    completion). It cannot run in a transaction; when it is cut off here, the next run finishes it. On a connection of its own, that
    ends with its settings. Behind a pooler there is none: there a plain DETACH stands in everybody's way, for `lock_seconds` at most.
    """
    if not database.listens:
        return await _drop_at_once(database, partition, lock_seconds=lock_seconds)
    async with await database.connect_directly() as connection:
        await connection.execute(SQL("SET lock_timeout = {}").format(Literal(round(lock_seconds * 1000))))
        await connection.execute(SQL("SET statement_timeout = {}").format(Literal(round(lock_seconds * 10_000))))
        try:
            async with asyncio.timeout(lock_seconds * 30):
                await connection.execute(_detach(database.schema, partition))
                await _drop(connection, database, partition)
        except errors.InsufficientPrivilege:
            return await _drop_as_owner(database, partition, lock_seconds=lock_seconds)
        except (errors.LockNotAvailable, errors.QueryCanceled, TimeoutError) as error:
            _log.info("partition.in_use", extra={"partition": partition.partition, "error": str(error)})
            return False
    return True


async def _drop_at_once(database: Database, partition: Partition, *, lock_seconds: float) -> bool:
    """The same in one transaction, whose settings end with it."""
    parent, part = Identifier(database.schema, partition.relation), Identifier(database.schema, partition.partition)
    async with database.connection() as connection:
        try:
            async with connection.transaction():
                await connection.execute(SQL("SET LOCAL lock_timeout = {}").format(Literal(round(lock_seconds * 1000))))
                finalize = SQL(" FINALIZE") if partition.detaching else SQL("")
                await connection.execute(SQL("ALTER TABLE {} DETACH PARTITION {}").format(parent, part) + finalize)
                await _drop(connection, database, partition)
        except errors.InsufficientPrivilege:
            return await _drop_as_owner(database, partition, lock_seconds=lock_seconds)
        except errors.LockNotAvailable as error:
            _log.info("partition.in_use", extra={"partition": partition.partition, "error": str(error)})
            return False
    return True


async def _drop_as_owner(database: Database, partition: Partition, *, lock_seconds: float) -> bool:
    """The same for whoever does not own the relations: a function of the owner's looks at the day once more, and drops it.

    A plain DETACH, since no function can do it CONCURRENTLY: it stands in everybody's way for `lock_seconds` at most. Days of the audit
    log go when somebody who may forget their entries has.
    """
    parameters = {"partition": partition.partition, "least_seconds": partition.least_seconds}
    async with database.connection() as connection:
        try:
            async with connection.transaction():
                await connection.execute(SQL("SET LOCAL lock_timeout = {}").format(Literal(round(lock_seconds * 1000))))
                cursor = await connection.execute(database.query("drop_day"), parameters)
                row = await cursor.fetchone()
                if row is None or row[0] is None:
                    return False
                await _write_down(connection, database, partition)
        except errors.LockNotAvailable as error:
            _log.info("partition.in_use", extra={"partition": partition.partition, "error": str(error)})
            return False
    return True


def _detach(schema: str, partition: Partition) -> Composed:
    return SQL("ALTER TABLE {}.{} DETACH PARTITION {}.{} {}").format(
        Identifier(schema),
        Identifier(partition.relation),
        Identifier(schema),
        Identifier(partition.partition),
        SQL("FINALIZE") if partition.detaching else SQL("CONCURRENTLY"),
    )


async def _drop(connection: AsyncConnection[Any], database: Database, partition: Partition) -> None:
    """Drop a detached partition; the ledger of states and the audit log follow in the same transaction."""
    schema = database.schema
    async with connection.transaction():
        if partition.relation == "succeeded_tasks":
            await connection.execute(
                SQL(
                    "INSERT INTO {schema}.state_ledger (kind_id, state, delta) "
                    "SELECT kind_id, 'succeeded', -count(*) FROM {schema}.{partition} GROUP BY kind_id"
                ).format(schema=Identifier(schema), partition=Identifier(partition.partition))
            )
        await connection.execute(SQL("DROP TABLE {}.{}").format(Identifier(schema), Identifier(partition.partition)))
        await _write_down(connection, database, partition)


async def _write_down(connection: AsyncConnection[Any], database: Database, partition: Partition) -> None:
    detail = {"partition": partition.partition}
    await append_audit(database, connection, AuditEntry(actor="maintenance", action="drop_partition", outcome="done", detail=detail))
