"""A queue in a real database, as tests of the store need it: filled by set, looked at from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from psycopg.rows import dict_row, scalar_row
from psycopg.types.json import Jsonb

from taskfleet.models import (
    Claim,
    ClaimedTask,
    Completion,
    Failure,
    KindPolicy,
    Mark,
    NewSession,
    QueuePolicy,
    Release,
    Settled,
    Settlement,
)
from taskfleet.store import Database, MaintenanceStore, OperatorStore, ReaderStore, WorkerStore
from taskfleet.words import ErrorCode

QUEUE = "mail"

_FILL = """
WITH kind AS (
    SELECT kinds.id FROM taskfleet.kinds JOIN taskfleet.queues ON queues.id = kinds.queue_id
    WHERE queues.name = %(queue)s AND kinds.name = %(kind)s
),
added AS (
    INSERT INTO taskfleet.tasks (kind_id, payload, entity, max_attempts, group_name, wants_result, idempotency_key, headers)
    SELECT kind.id, jsonb_build_object('number', number), %(entity)s, %(max_attempts)s, %(group)s, %(wants_result)s,
        %(key)s || number::text, %(headers)s
    FROM kind, generate_series(1, %(count)s::integer) AS number ORDER BY number
    RETURNING id, kind_id, idempotency_key
),
keyed AS (
    INSERT INTO taskfleet.idempotency_keys (kind_id, key, task_id)
    SELECT kind_id, idempotency_key, id FROM added WHERE idempotency_key IS NOT NULL
),
numbered AS (
    SELECT id, kind_id, row_number() OVER (ORDER BY id) AS number FROM added
),
placed AS (
    INSERT INTO taskfleet.ready (task_id, run_at, due_since, kind_id, priority)
    SELECT id, moment, moment, kind_id, %(priority)s
    FROM numbered
    CROSS JOIN LATERAL (
        SELECT clock_timestamp() - make_interval(secs => %(age)s::double precision - (number - 1) * %(apart)s::double precision) AS moment
    ) AS moments
    ORDER BY id
    RETURNING task_id, kind_id, run_at
),
noted AS (
    INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
    SELECT kind_id, %(priority)s, taskfleet.backlog_bucket(run_at, clock_timestamp()), count(*) FROM placed GROUP BY 1, 2, 3
),
arrived AS (
    INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, count)
    SELECT kind_id, date_trunc('minute', clock_timestamp()), 'enqueued', count(*) FROM placed GROUP BY 1
)
SELECT task_id FROM placed ORDER BY task_id
"""

_TRUTH = """
WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS now),
ledger AS (
    SELECT kind_id, priority, taskfleet.backlog_bucket(bucket, now) AS bucket, sum(delta) AS waiting
    FROM (
        SELECT kind_id, priority, bucket, waiting AS delta FROM taskfleet.backlog_buckets
        UNION ALL
        SELECT kind_id, priority, bucket, delta FROM taskfleet.backlog_ledger
    ) AS deltas CROSS JOIN clock
    GROUP BY 1, 2, 3 HAVING sum(delta) <> 0
),
truth AS (
    SELECT kind_id, priority, taskfleet.backlog_bucket(run_at, now) AS bucket, count(*) AS waiting
    FROM taskfleet.ready CROSS JOIN clock GROUP BY 1, 2, 3
)
SELECT kind_id, priority, bucket, ledger.waiting AS ledger, truth.waiting AS truth
FROM ledger FULL JOIN truth USING (kind_id, priority, bucket)
WHERE ledger.waiting IS DISTINCT FROM truth.waiting
"""

_STATES = """
WITH ledger AS (
    SELECT kind_id, state, sum(delta) AS kept
    FROM (
        SELECT kind_id, state, kept AS delta FROM taskfleet.state_totals
        UNION ALL
        SELECT kind_id, state, delta FROM taskfleet.state_ledger
    ) AS deltas
    GROUP BY 1, 2 HAVING sum(delta) <> 0
),
truth AS (
    SELECT kind_id, 'succeeded' AS state, count(*) AS kept FROM taskfleet.succeeded_tasks GROUP BY 1
    UNION ALL
    SELECT kind_id, state, count(*) FROM taskfleet.dead_letters GROUP BY 1, 2
    UNION ALL
    SELECT kind_id, 'paused', count(*) FROM taskfleet.held GROUP BY 1
)
SELECT kind_id, state, ledger.kept AS ledger, truth.kept AS truth
FROM ledger FULL JOIN truth USING (kind_id, state)
WHERE ledger.kept IS DISTINCT FROM truth.kept
"""

_LOST = """
SELECT tasks.id
FROM taskfleet.tasks
WHERE (EXISTS (SELECT FROM taskfleet.ready WHERE ready.task_id = tasks.id))::integer
    + (EXISTS (SELECT FROM taskfleet.leases WHERE leases.task_id = tasks.id))::integer
    + (EXISTS (SELECT FROM taskfleet.held WHERE held.task_id = tasks.id))::integer
    + (EXISTS (SELECT FROM taskfleet.dead_letters WHERE dead_letters.task_id = tasks.id))::integer
    + (EXISTS (SELECT FROM taskfleet.succeeded_tasks WHERE succeeded_tasks.id = tasks.id))::integer <> 1
"""


@dataclass(kw_only=True)
class Scene:
    """One queue, the stores that work on it, and ways to fill it and to look behind it."""

    database: Database
    queue: str = QUEUE
    sessions: list[UUID] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.worker = WorkerStore(self.database)
        self.operator = OperatorStore(self.database)
        self.reader = ReaderStore(self.database)
        self.maintenance = MaintenanceStore(self.database)

    async def policy(self, *kinds: KindPolicy, **values: Any) -> None:
        """Write a policy by hand."""
        await self.operator.write_policy(QueuePolicy(queue=self.queue, kinds=kinds, **values), epoch=None)

    async def session(self, *kinds: str, lease_seconds: float = 60, slots: int = 100) -> UUID:
        """A worker that has handlers for these kinds."""
        session = NewSession(
            session_id=uuid4(),
            queue=self.queue,
            worker=f"worker-{len(self.sessions) + 1}",
            slots=slots,
            kinds=kinds or ("send",),
            lease_seconds=lease_seconds,
        )
        await self.worker.open_session(session)
        self.sessions.append(session.session_id)
        return session.session_id

    async def fill(self, count: int = 1, *, kind: str = "send", age: float = 1.0, apart: float = 0.000001, **values: Any) -> list[int]:
        """Waiting tasks, the first of them `age` seconds old, each `apart` seconds younger; returns their ids."""
        parameters = {
            "queue": self.queue,
            "kind": kind,
            "count": count,
            "age": age,
            "apart": apart,
            "priority": values.get("priority", 5),
            "entity": values.get("entity"),
            "max_attempts": values.get("max_attempts"),
            "group": values.get("group"),
            "wants_result": values.get("wants_result", False),
            "key": values.get("key"),
            "headers": Jsonb(values["headers"]) if "headers" in values else None,
        }
        await self.kinds(kind)
        async with self.database.connection() as connection:
            cursor = connection.cursor(row_factory=scalar_row)
            await cursor.execute(_FILL, parameters)
            return await cursor.fetchall()

    async def kinds(self, *kinds: str) -> None:
        """Make kinds exist."""
        async with self.database.connection() as connection:
            await connection.execute(self.database.query("create_kinds"), {"queue": self.queue, "kinds": list(kinds)})

    async def claim(self, session: UUID, *kinds: str, limit: int = 10, marks: Sequence[Mark] = (), stale_slots: int = 0) -> Claim:
        """A claim of these kinds, `send` if none is named."""
        return await self.worker.claim(session, kinds=kinds or ("send",), limit=limit, marks=marks, stale_slots=stale_slots)

    async def claimed(self, count: int = 1, **values: Any) -> tuple[ClaimedTask, ...]:
        """Fresh tasks that a new worker has claimed."""
        await self.fill(count, **values)
        claim = await self.claim(await self.session(), limit=count)
        return tuple(claim.tasks)

    async def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """What a query finds."""
        async with self.database.connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(query.encode(), parameters or None)
            return await cursor.fetchall() if cursor.description else []

    async def value(self, query: str, *parameters: object) -> Any:
        """The one value that a query finds."""
        rows = await self.rows(query, *parameters)
        return next(iter(rows[0].values())) if rows else None

    async def count(self, relation: str) -> int:
        """Rows of a relation."""
        return int(await self.value(f"SELECT count(*) FROM taskfleet.{relation}"))

    async def expire_session(self, session: UUID) -> None:
        """As if a worker had not been heard of for its whole lease."""
        await self.rows("UPDATE taskfleet.sessions SET expires_at = now() - interval '1 second' WHERE id = %s", session)

    async def outcomes(self) -> Mapping[tuple[str, str], int]:
        """Counters of the queue by outcome and code."""
        measured = (await self.operator.measure([self.queue]))[self.queue]
        found: dict[tuple[str, str], int] = {}
        for item in measured.outcomes:
            found[item.outcome, item.code] = found.get((item.outcome, item.code), 0) + item.count
        return found

    async def faults(self) -> list[dict[str, Any]]:
        """Where the ledgers differ from the truth, and tasks that are nowhere or in two places; empty when all is well."""
        return [*await self.rows(_TRUTH), *await self.rows(_STATES), *await self.rows(_LOST)]


def completed(*tasks: ClaimedTask, result: object = None) -> Settlement:
    """All of them finished well."""
    return Settlement(completions=[Completion(lease=task.lease, result=result) for task in tasks])


def failed(
    *tasks: ClaimedTask, code: ErrorCode = ErrorCode.EXECUTION_FAILED, retryable: bool = True, missing_entity: str | None = None
) -> Settlement:
    """All of them went wrong."""
    return Settlement(
        failures=[
            Failure(
                lease=task.lease, code=code, message="it broke", stack="line 1\nline 2", retryable=retryable, missing_entity=missing_entity
            )
            for task in tasks
        ]
    )


def released(*tasks: ClaimedTask, delay_seconds: float = 0.0, code: ErrorCode = ErrorCode.OVERLOADED) -> Settlement:
    """All of them given back."""
    return Settlement(releases=[Release(lease=task.lease, code=code, delay_seconds=delay_seconds) for task in tasks])


def stale(*tasks: ClaimedTask) -> Settled:
    """The answer to a settlement whose leases were all lost."""
    return Settled(stale=tuple(task.task_id for task in tasks))


def ids(tasks: Sequence[ClaimedTask]) -> list[int]:
    """Their ids, in their order."""
    return [task.task_id for task in tasks]
