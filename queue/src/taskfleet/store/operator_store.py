"""What the operator does with the database: look at all queues at once, and write the policy that claims obey."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import dict_row, scalar_row
from psycopg.types.json import Jsonb

from taskfleet.errors import InvalidPolicyError, StalePolicyError
from taskfleet.measurements import QueueMeasurement
from taskfleet.models import DecisionRecord, KindPolicy, QueuePolicy
from taskfleet.store.connection import Database
from taskfleet.store.rows.measurements import measurement_from
from taskfleet.store.rows.policies import policy_fault

_Connection = AsyncConnection[Any]
_Answer = TypeVar("_Answer")


class OperatorStore:
    """Reads and changes on behalf of the operator that leads.

    Every write carries the epoch under which the operator took the lead; once another has taken it, StalePolicyError is raised and
    nothing is written. `epoch=None` writes by hand, for a database that no operator leads.
    All methods raise DatabaseUnreachableError when the database cannot be reached or does not answer in time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take_lead(self, holder: str) -> int:
        """Raise the epoch; the new one is this operator's."""

        async def work(connection: _Connection) -> int:
            cursor = connection.cursor(row_factory=scalar_row)
            await cursor.execute(self._database.query("take_lead"), {"holder": holder})
            return int(await cursor.fetchone() or 0)

        return await self._database.run(work)

    async def write_policy(self, policy: QueuePolicy, *, epoch: int | None) -> None:
        """Write what a queue and its kinds may do; both are created where they do not exist, kinds not named lose their limits.

        Raises InvalidPolicyError when the policy contradicts itself.
        """
        if (fault := policy_fault(policy)) is not None:
            raise InvalidPolicyError(fault)

        async def work(connection: _Connection) -> None:
            cursor = connection.cursor(row_factory=scalar_row)
            await cursor.execute(self._database.query("write_queue_policy"), _columns(policy))
            queue_id = await cursor.fetchone()
            await connection.execute(self._database.query("write_kind_policies"), {"queue_id": queue_id, **_kind_columns(policy.kinds)})

        await self._lead(work, epoch=epoch)

    async def write_ceiling(self, queue: str, *, slots: int | None, kind_slots: Mapping[str, int] | None = None, epoch: int | None) -> None:
        """Set the failure ceiling of a queue (None lifts it) and what kinds with an open breaker may run; other breakers close."""
        probes = kind_slots or {}
        parameters = {"queue": queue, "slots": slots, "kinds": list(probes), "kind_slots": list(probes.values())}
        await self._write("write_ceiling", parameters, epoch=epoch)

    async def mark_draining(self, session_ids: Sequence[UUID], *, draining: bool, epoch: int | None) -> None:
        """Tell workers to claim no more, or to go on; their next heartbeat or claim says so."""
        await self._write("mark_draining", {"sessions": list(session_ids), "draining": draining}, epoch=epoch)

    async def measure(self, queues: Sequence[str]) -> Mapping[str, QueueMeasurement]:
        """All that one tick needs to know, for all these queues, in one statement; a queue that does not exist is missing."""

        async def work(connection: _Connection) -> Mapping[str, QueueMeasurement]:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(self._database.query("measure_queues"), {"queues": list(queues)})
            return {row["queue"]: measurement_from(row) for row in await cursor.fetchall()}

        return await self._database.run(work)

    async def save_decision(self, record: DecisionRecord, *, epoch: int | None) -> None:
        """Keep a decision."""
        parameters = {
            "queue": record.queue,
            "decided_at": record.decided_at,
            "replicas": record.replicas,
            "wanted": record.wanted,
            "desired": record.desired,
            "reason": record.reason,
            "message": record.message,
            "ready": record.ready,
            "running": record.running,
            "oldest_seconds": record.oldest_seconds,
            "ceiling": record.ceiling,
            "steps": Jsonb([dict(step) for step in record.steps]),
        }
        await self._write("save_decision", parameters, epoch=epoch)

    async def save_state(self, queue: str, state: Mapping[str, object], *, epoch: int | None) -> None:
        """Keep what the scaling law remembers of a queue, for the operator that takes over."""
        await self._write("save_state", {"queue": queue, "state": Jsonb(dict(state))}, epoch=epoch)

    async def load_state(self, queue: str) -> Mapping[str, object] | None:
        """What the scaling law remembered last; None when nothing was saved."""

        async def work(connection: _Connection) -> Mapping[str, object] | None:
            cursor = connection.cursor(row_factory=scalar_row)
            await cursor.execute(self._database.query("load_state"), {"queue": queue})
            return await cursor.fetchone()

        return await self._database.run(work)

    async def _write(self, query: str, parameters: Mapping[str, object], *, epoch: int | None) -> None:
        async def work(connection: _Connection) -> None:
            await connection.execute(self._database.query(query), parameters)

        await self._lead(work, epoch=epoch)

    async def _lead(self, work: Callable[[_Connection], Awaitable[_Answer]], *, epoch: int | None) -> _Answer:
        """Do work in a transaction in which nobody else can take the lead."""

        async def fenced(connection: _Connection) -> _Answer:
            async with self._database.transaction(connection):
                if epoch is not None:
                    await self._require_lead(connection, epoch=epoch)
                return await work(connection)

        return await self._database.run(fenced)

    async def _require_lead(self, connection: _Connection, *, epoch: int) -> None:
        cursor = connection.cursor(row_factory=scalar_row)
        await cursor.execute(self._database.query("current_epoch"))
        current = int(await cursor.fetchone() or 0)
        if current > epoch:
            raise StalePolicyError(epoch=epoch, current=current)


def _columns(policy: QueuePolicy) -> Mapping[str, object]:
    return {
        "queue": policy.queue,
        "max_concurrent": policy.max_concurrent,
        "wait_goal_seconds": policy.wait_goal_seconds,
        "fresh_seconds": policy.fresh_seconds,
        "stale_share": policy.stale_share,
        "stale_wait_seconds": policy.stale_wait_seconds,
        "waiting_expiry_seconds": policy.waiting_expiry_seconds,
        "running_timeout_seconds": policy.running_timeout_seconds,
        "failed_retention_seconds": policy.failed_retention_seconds,
        "succeeded_retention_seconds": policy.succeeded_retention_seconds,
        "max_length": policy.max_length,
        "warn_length": policy.warn_length,
        "max_payload_bytes": policy.max_payload_bytes,
        "max_result_bytes": policy.max_result_bytes,
        "held": policy.held,
    }


def _kind_columns(kinds: Sequence[KindPolicy]) -> Mapping[str, object]:
    return {
        "kinds": [kind.kind for kind in kinds],
        "max_concurrents": [kind.max_concurrent for kind in kinds],
        "rate_starts": [kind.rate_starts for kind in kinds],
        "rate_periods": [kind.rate_period_seconds for kind in kinds],
        "expected_seconds": [kind.expected_seconds for kind in kinds],
        "timeouts": [kind.timeout_seconds for kind in kinds],
        "max_attempts": [kind.max_attempts for kind in kinds],
        "min_backoffs": [kind.min_backoff_seconds for kind in kinds],
        "max_backoffs": [kind.max_backoff_seconds for kind in kinds],
    }
