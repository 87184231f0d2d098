"""The real queue under the machine: its stores without `await`, a clock that can be moved, and looks behind it."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from psycopg.rows import dict_row

from taskfleet import AsyncProducer
from taskfleet.models import KindPolicy, QueuePolicy
from taskfleet.store import Database
from tests.integration.queue.scene import Scene
from tests.stateful.model import BACKOFF, EXPIRY, FRESH, KIND_TIMEOUT, KINDS, MAX_ATTEMPTS, QUEUE_TIMEOUT, RATE_PERIOD, RETENTION, Limits

Answer = TypeVar("Answer")
HOUR = 14_400.0
"""An hour of the model, in seconds of the database."""

_EMPTY = """
TRUNCATE taskfleet.tasks, taskfleet.ready, taskfleet.leases, taskfleet.sessions, taskfleet.dead_letters, taskfleet.attempts,
    taskfleet.succeeded_tasks, taskfleet.backlog_ledger, taskfleet.backlog_buckets, taskfleet.outcome_ledger, taskfleet.outcome_minutes,
    taskfleet.outcome_totals, taskfleet.state_ledger, taskfleet.state_totals, taskfleet.missing_entities, taskfleet.idempotency_keys,
    taskfleet.kind_starts, taskfleet.held, taskfleet.cancel_requests, taskfleet.paused_groups
"""

# An hour of the model passes when everything that has a time becomes four hours older: the widest bucket of the backlog is as wide, so that
# the starts of buckets stay starts of buckets.
# Rows whose time is part of a key go in the order of it: each finds its new place free.
_HOUR_PASSES = (
    """UPDATE taskfleet.ready SET run_at = run_at - interval '4 hours', due_since = due_since - interval '4 hours',
        last_attempt_at = last_attempt_at - interval '4 hours'""",
    """UPDATE taskfleet.leases SET started_at = started_at - interval '4 hours', deadline_at = deadline_at - interval '4 hours',
        run_at = run_at - interval '4 hours', due_since = due_since - interval '4 hours',
        last_attempt_at = last_attempt_at - interval '4 hours'""",
    "UPDATE taskfleet.sessions SET heartbeat_at = heartbeat_at - interval '4 hours', expires_at = expires_at - interval '4 hours'",
    "UPDATE taskfleet.dead_letters SET failed_at = failed_at - interval '4 hours', due_since = due_since - interval '4 hours'",
    "UPDATE taskfleet.held SET run_at = run_at - interval '4 hours', due_since = due_since - interval '4 hours'",
    "UPDATE taskfleet.queues SET resumed_at = resumed_at - interval '4 hours'",
    "UPDATE taskfleet.kinds SET resumed_at = resumed_at - interval '4 hours'",
    "UPDATE taskfleet.missing_entities SET until = until - interval '4 hours'",
    "UPDATE taskfleet.backlog_ledger SET bucket = bucket - interval '4 hours'",
    """WITH gone AS (DELETE FROM taskfleet.backlog_buckets RETURNING *),
        sorted AS MATERIALIZED (SELECT * FROM gone ORDER BY bucket)
    INSERT INTO taskfleet.backlog_buckets SELECT kind_id, priority, bucket - interval '4 hours', waiting FROM sorted""",
    """WITH gone AS (DELETE FROM taskfleet.kind_starts RETURNING *),
        sorted AS MATERIALIZED (SELECT * FROM gone ORDER BY window_start)
    INSERT INTO taskfleet.kind_starts
    SELECT kind_id, window_start - interval '4 hours', window_end - interval '4 hours', starts FROM sorted""",
)

_WHERE = """
SELECT task_id, kinds.name AS kind, state, priority, attempts, token, session_id AS session,
    extract(epoch FROM run_at - clock_timestamp())::double precision / 14400 AS due_in
FROM (
    SELECT task_id, kind_id, 'waiting' AS state, priority, attempt_count AS attempts, NULL::uuid AS token, NULL::uuid AS session_id, run_at
    FROM taskfleet.ready
    UNION ALL SELECT task_id, kind_id, 'running', priority, attempt_count, token, session_id, run_at FROM taskfleet.leases
    UNION ALL SELECT task_id, kind_id, 'paused', priority, attempt_count, NULL, NULL, run_at FROM taskfleet.held
    UNION ALL SELECT task_id, kind_id, state, priority, attempt_count, NULL, NULL, NULL FROM taskfleet.dead_letters
    UNION ALL SELECT id, kind_id, 'succeeded', NULL, attempt_count, NULL, NULL, NULL FROM taskfleet.succeeded_tasks
) AS found
JOIN taskfleet.kinds ON kinds.id = found.kind_id
"""
_KEYS = "SELECT kinds.name AS kind, key, task_id FROM taskfleet.idempotency_keys JOIN taskfleet.kinds ON kinds.id = kind_id"
# Both reads in one snapshot: what is due and older than the mark of its kind and priority would be found by no claim that trusts the mark.
_HIDDEN = """
SELECT ready.task_id, ready.run_at, marks.oldest
FROM taskfleet.ready
LEFT JOIN taskfleet.low_water_marks_v1(ARRAY(SELECT id FROM taskfleet.kinds), clock_timestamp()) AS marks
    ON marks.kind_id = ready.kind_id AND marks.priority = ready.priority
WHERE ready.run_at <= clock_timestamp()
  AND (marks.oldest IS NULL OR marks.oldest > ready.run_at)
"""


@dataclass(kw_only=True)
class World:
    """One real queue that outlives the examples, emptied before each."""

    scene: Scene
    producer: AsyncProducer
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    @classmethod
    def of(cls, url: str) -> "World":
        """A world in a migrated database."""
        scene = Scene(database=Database(url, pool_size=4, connect_tries=2))
        return cls(scene=scene, producer=AsyncProducer(url, queue=scene.queue))

    def close(self) -> None:
        """Leave the database."""
        self.do(self.producer.close())
        self.do(self.scene.database.close())
        self.runner.close()

    def do(self, work: Awaitable[Answer]) -> Answer:
        """The answer of something awaitable."""

        async def waited() -> Answer:
            return await work

        return self.runner.run(waited())

    def empty(self) -> None:
        """Nothing happened yet."""
        self.do(self.scene.rows(_EMPTY))
        self.do(self.scene.kinds(*KINDS))
        self.do(self.scene.rows("UPDATE taskfleet.queues SET held = false, paused = false, resumed_at = NULL"))
        self.do(self.scene.rows("UPDATE taskfleet.kinds SET paused = false, resumed_at = NULL"))

    def apply(self, limits: Limits) -> None:
        """Write the limits, and the durations that the model counts with."""
        kinds = [
            KindPolicy(
                kind=kind,
                max_concurrent=limits.quota.get(kind),
                rate_starts=limits.rate.get(kind),
                rate_period_seconds=RATE_PERIOD * HOUR if kind in limits.rate else None,
                timeout_seconds=KIND_TIMEOUT[kind] * HOUR if kind in KIND_TIMEOUT else None,
                max_attempts=MAX_ATTEMPTS,
                min_backoff_seconds=BACKOFF * HOUR,
                max_backoff_seconds=BACKOFF * HOUR,
            )
            for kind in KINDS
        ]
        policy = QueuePolicy(
            queue=self.scene.queue,
            kinds=kinds,
            max_concurrent=limits.max_concurrent,
            fresh_seconds=FRESH * HOUR,
            waiting_expiry_seconds=EXPIRY * HOUR,
            running_timeout_seconds=QUEUE_TIMEOUT * HOUR,
            held=limits.held,
        )
        self.do(self.scene.operator.write_policy(policy, epoch=None))
        self.do(self.scene.operator.write_ceiling(self.scene.queue, slots=limits.ceiling, kind_slots=limits.probes, epoch=None))
        self.do(self.scene.rows("UPDATE taskfleet.queues SET failed_retention_seconds = %s", RETENTION * HOUR))

    def let_an_hour_pass(self) -> None:
        """Make everything an hour older, at once."""

        async def work() -> None:
            async with self.scene.database.connection() as connection, connection.transaction():
                for statement in _HOUR_PASSES:
                    await connection.execute(statement.encode())

        self.do(work())

    def where(self) -> dict[int, dict[str, Any]]:
        """Every task that the database knows, by id; a task in two places raises."""
        found: dict[int, dict[str, Any]] = {}
        for row in self.do(self.scene.rows(_WHERE)):
            assert row["task_id"] not in found, f"two places: {row} and {found[row['task_id']]}"
            found[row["task_id"]] = row
        return found

    def look(self) -> tuple[dict[int, dict[str, Any]], Sequence[dict[str, Any]], Sequence[dict[str, Any]]]:
        """Where every task is, who holds keys, and what is wrong in the database's own terms."""

        async def work() -> tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]], Sequence[dict[str, Any]]]:
            async with self.scene.database.connection() as connection, connection.pipeline():
                cursors = [await connection.cursor(row_factory=dict_row).execute(query.encode()) for query in (_WHERE, _KEYS, _HIDDEN)]
                places, keys, hidden = [await cursor.fetchall() for cursor in cursors]
            return places, keys, [*hidden, *await self.scene.faults()]

        places, keys, wrong = self.do(work())
        found = {row["task_id"]: row for row in places}
        assert len(found) == len(places), f"a task in two places: {places}"
        return found, keys, wrong
