"""What a worker does with the database: sessions, claims, settlements, heartbeats."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import namedtuple_row, scalar_row

from taskfleet.models import Claim, HeartbeatAnswer, LeaseNote, LeaseRef, Mark, NewSession, Settled, Settlement
from taskfleet.store.connection import Database
from taskfleet.store.rows.arrays import bigints, uuids
from taskfleet.store.rows.claims import claim_from, claim_parameters
from taskfleet.store.rows.settlements import Statement, answer_from, settled_from, statements_of

_Connection = AsyncConnection[Any]


class WorkerStore:
    """Reads and changes on behalf of one worker process.

    Every write about a task shows its lease token, so a worker that lost its lease changes nothing. All methods raise
    DatabaseUnreachableError when the database cannot be reached within the allowed tries.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_session(self, session: NewSession) -> None:
        """Register a worker process; its queue and kinds are created where they do not exist."""
        parameters = {
            "session": session.session_id,
            "queue": session.queue,
            "worker": session.worker,
            "pod_uid": session.pod_uid,
            "slots": session.slots,
            "kinds": list(session.kinds),
            "lease_seconds": session.lease_seconds,
        }

        async def work(connection: _Connection) -> None:
            # Two statements: a queue that another worker has created meanwhile is seen by a new snapshot only.
            await connection.execute(self._database.query("create_kinds"), parameters)
            await connection.execute(self._database.query("open_session"), parameters)
            if session.backoff is not None:
                wished = {"lowest": session.backoff.min_seconds, "highest": session.backoff.max_seconds, "queue": session.queue}
                await connection.execute(self._database.query("wish_backoff"), wished)

        await self._database.run(work)

    async def heartbeat(self, session_id: UUID, *, held: Sequence[LeaseRef]) -> HeartbeatAnswer:
        """Say that the worker lives, and what it holds: every lease whose settlement has not been answered yet.

        Leases that two heartbeats in a row do not name go back to the queue.
        """
        parameters = {
            "session": session_id,
            "task_ids": bigints(lease.task_id for lease in held),
            "tokens": uuids(lease.token for lease in held),
        }

        async def work(connection: _Connection) -> HeartbeatAnswer:
            cursor = connection.cursor(row_factory=namedtuple_row)
            await cursor.execute(self._database.query("heartbeat"), parameters)
            row: Any = await cursor.fetchone()
            return HeartbeatAnswer(
                known=row.known,
                draining=row.draining,
                lost=tuple(row.lost),
                cancelled=tuple(row.cancelled),
                released=row.released,
                stale_share=row.stale_share,
            )

        return await self._database.run(work)

    async def claim(self, session_id: UUID, *, kinds: Sequence[str], limit: int, marks: Sequence[Mark] = (), stale_slots: int = 0) -> Claim:
        """Claim up to `limit` waiting tasks of these kinds under one lease token.

        `stale_slots` of them go to tasks older than the queue's fresh_seconds. Without tasks the verdict says what stood in the way.
        """
        parameters = claim_parameters(session_id, kinds=kinds, limit=limit, marks=marks, stale_slots=stale_slots)

        async def work(connection: _Connection) -> Claim:
            cursor = await connection.cursor().execute(self._database.query("claim_tasks"), parameters)
            return claim_from(await cursor.fetchall())

        return await self._database.run(work)

    async def settle(self, settlement: Settlement) -> Settled:
        """Write outcomes, all in one transaction; a lease that was lost is left out and reported as stale."""
        statements = statements_of(settlement)

        async def work(connection: _Connection) -> Settled:
            async with connection.pipeline():
                cursors = await self._send(connection, statements)
            return await self._settled(settlement, cursors)

        return await self._database.run(work) if statements else Settled()

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
        """`settle`, then `claim`, in one round trip and one transaction.

        The claim sees the slots that the settlement frees, others do when both are committed; a claim that fails undoes the settlement,
        and both are done again. One transaction is one flush of the log instead of two, and cannot deadlock: a claim waits for nothing but
        the locks of quotas, and who holds those waits for nobody.
        """
        statements = statements_of(settlement)
        parameters = claim_parameters(session_id, kinds=kinds, limit=limit, marks=marks, stale_slots=stale_slots)

        async def work(connection: _Connection) -> tuple[Settled, Claim]:
            async with connection.pipeline():
                cursors = await self._send(connection, statements)
                claiming = await connection.cursor().execute(self._database.query("claim_tasks"), parameters)
            return await self._settled(settlement, cursors), claim_from(await claiming.fetchall())

        return await self._database.run(work)

    async def note(self, notes: Sequence[LeaseNote]) -> Sequence[int]:
        """Take down what handlers say about their tasks; returns the ids of those whose lease was lost, of which nothing was written."""
        parameters = {
            "task_ids": bigints(note.lease.task_id for note in notes),
            "tokens": uuids(note.lease.token for note in notes),
            "progresses": [None if note.progress is None else json.dumps(note.progress) for note in notes],
            "longer_seconds": [note.longer_seconds for note in notes],
        }

        async def work(connection: _Connection) -> Sequence[int]:
            cursor = await connection.execute(self._database.query("note_leases"), parameters)
            held = {task_id for (task_id,) in await cursor.fetchall()}
            return tuple(note.lease.task_id for note in notes if note.lease.task_id not in held)

        return await self._database.run(work)

    async def low_water_marks(self, queue: str, *, kinds: Sequence[str]) -> Sequence[Mark]:
        """Where claims may begin to read; worth asking again every two seconds."""

        async def work(connection: _Connection) -> Sequence[Mark]:
            cursor = await connection.execute(self._database.query("low_water_marks"), {"queue": queue, "kinds": list(kinds)})
            return tuple(Mark(kind=kind, priority=priority, run_at=run_at) for kind, priority, run_at in await cursor.fetchall())

        return await self._database.run(work)

    async def limited_kinds(self, queue: str, *, kinds: Sequence[str]) -> Sequence[str]:
        """Those of the kinds that a quota, a rate or a ceiling limits; all of them where the queue as a whole is limited."""
        return await self._names("limited_kinds", {"queue": queue, "kinds": list(kinds)})

    async def queue_kinds(self, queue: str) -> Sequence[str]:
        """Every kind of a queue, whoever does it."""
        return await self._names("queue_kinds", {"queue": queue})

    async def mark_drained(self, session_id: UUID) -> bool:
        """Say that a draining worker is empty; False when it is not draining, or holds a lease."""
        return await self._one("mark_drained", {"session": session_id}) is not None

    async def close_session(self, session_id: UUID) -> int:
        """End the session; what it still held goes back at once. Returns how many leases that were."""
        return int(await self._one("close_session", {"session": session_id}))

    async def _names(self, query: str, parameters: Mapping[str, object]) -> Sequence[str]:
        async def work(connection: _Connection) -> Sequence[str]:
            cursor = connection.cursor(row_factory=scalar_row)
            await cursor.execute(self._database.query(query), parameters)
            return tuple(await cursor.fetchall())

        return await self._database.run(work)

    async def _one(self, query: str, parameters: Mapping[str, object]) -> Any:
        async def work(connection: _Connection) -> Any:
            cursor = connection.cursor(row_factory=scalar_row)
            await cursor.execute(self._database.query(query), parameters)
            return await cursor.fetchone()

        return await self._database.run(work)

    async def _send(self, connection: _Connection, statements: Sequence[Statement]) -> Sequence[AsyncCursor[Any]]:
        """Queue statements in the pipeline, whose end commits them together; their answers can be fetched then."""
        return [await connection.cursor().execute(self._database.query(statement.query), statement.parameters) for statement in statements]

    async def _settled(self, settlement: Settlement, cursors: Sequence[AsyncCursor[Any]]) -> Settled:
        answer = answer_from(settlement, [await cursor.fetchall() for cursor in cursors])
        self._database.announce(answer.wanted)
        return settled_from(settlement, answer)
