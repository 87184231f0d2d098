"""Queues of any size for benchmarks, made by SQL: tasks, their rows in ready, and the ledger that goes with them.

What enqueue would write, less the idempotency keys and the arrivals; statistics are fresh afterwards.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from benchmarks.frame import progress
from taskfleet.maintenance import run_once
from taskfleet.store import Database

QUEUE = "bench"

_KINDS = """
WITH queue AS (
    INSERT INTO taskfleet.queues (name, max_length, warn_length) VALUES ('bench', NULL, NULL)
    ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id
)
INSERT INTO taskfleet.kinds (queue_id, name) SELECT queue.id, 'kind-' || number FROM queue, generate_series(1, %s::integer) AS number
ON CONFLICT DO NOTHING
"""
_WAITING = """
WITH kind AS MATERIALIZED (
    SELECT array_agg(kinds.id ORDER BY kinds.id) AS ids, count(*) AS count FROM taskfleet.kinds
),
numbered AS MATERIALIZED (
    -- Spread evenly over the time, the oldest first.
    SELECT
        kind.ids[1 + number %% kind.count] AS kind_id,
        nextval(pg_get_serial_sequence('taskfleet.tasks', 'id')) AS id,
        now() - make_interval(secs => %(seconds)s::double precision * (1 - number::double precision / %(tasks)s)) AS moment
    FROM kind, generate_series(%(first)s::bigint, %(last)s::bigint) AS number
),
added AS (
    INSERT INTO taskfleet.tasks (id, kind_id, payload)
    SELECT id, kind_id, '{"source": "https://example.org/episodes/4711", "bitrate_kbps": 128}' FROM numbered
),
placed AS (
    INSERT INTO taskfleet.ready (task_id, run_at, due_since, kind_id, priority) SELECT id, moment, moment, kind_id, 5 FROM numbered
)
INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
SELECT kind_id, 5, taskfleet.backlog_bucket(moment, now()), count(*) FROM numbered GROUP BY 1, 2, 3
"""
_CHUNK = 250_000
_INDEXES = """
SELECT pg_class.relname, pg_get_indexdef(pg_index.indexrelid)
FROM pg_index JOIN pg_class ON pg_class.oid = pg_index.indexrelid
WHERE pg_index.indrelid = 'taskfleet.ready'::regclass
"""
_LEDGER_ONLY = """
INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
SELECT kinds.id, 5, spread.bucket, (%(tasks)s::double precision * spread.seconds / %(seconds)s::integer / kinds.count)::integer
FROM (SELECT id, count(*) OVER () AS count FROM taskfleet.kinds) AS kinds
CROSS JOIN (
    -- As the bucket was when a task was five minutes old: folding has to bring together what became wider since.
    SELECT taskfleet.backlog_bucket(moment, least(now(), moment + interval '5 minutes')) AS bucket, count(*) AS seconds
    FROM generate_series(now() - make_interval(secs => %(seconds)s::integer), now() - interval '1 second', interval '1 second') AS moment
    GROUP BY 1
) AS spread
"""
_FINISHED = """
INSERT INTO taskfleet.succeeded_tasks (id, created_at, started_at, finished_at, kind_id, attempt_count)
SELECT -number, now(), now(), now(), (SELECT min(id) FROM taskfleet.kinds), 1 FROM generate_series(1, %s::bigint) AS number
"""


async def copied_database(server_url: str, name: str) -> str:
    """The URL of a new database with what the server's own holds: a migrated schema. Nobody else may be connected to that one."""
    async with Database(server_url, pool_size=1) as database, await database.connect() as connection:
        await database.close()
        source = urlsplit(server_url).path.strip("/")
        await connection.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(source)))
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


async def make_kinds(database: Database, count: int) -> list[str]:
    """A queue `bench` without limits and its kinds, by name."""
    async with database.connection() as connection:
        await connection.execute(_KINDS, [count])
    return [f"kind-{number}" for number in range(1, count + 1)]


async def fill_waiting(database: Database, *, tasks: int, seconds: float) -> None:
    """Waiting tasks, spread over the last `seconds` and over the kinds; the indexes of `ready` are made afterwards."""
    async with database.connection() as connection:
        await connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = await (await connection.execute(_INDEXES)).fetchall()
        for name, _ in indexes:
            await connection.execute(SQL("DROP INDEX {}").format(Identifier("taskfleet", name)))
        for first in range(1, tasks + 1, _CHUNK):
            last = min(first + _CHUNK - 1, tasks)
            await connection.execute(_WAITING, {"tasks": tasks, "seconds": seconds, "first": first, "last": last})
            if last % 1_000_000 == 0:
                progress(f"{last:,} of {tasks:,} waiting tasks")
        for _, definition in indexes:
            await connection.execute(definition.encode())
        await settle(connection)


async def fill_ledger(database: Database, *, tasks: int, seconds: int) -> int:
    """The ledger of so many waiting tasks, without them, folded as maintenance does it; returns how many buckets that makes."""
    async with database.connection() as connection:
        await connection.execute(_LEDGER_ONLY, {"tasks": tasks, "seconds": seconds})
    await run_once(database, ["fold_ledgers"])
    async with database.connection() as connection:
        await settle(connection)
        cursor = await connection.execute("SELECT count(*) FROM taskfleet.backlog_buckets")
        return int((await cursor.fetchone() or (0,))[0])


async def fill_finished(database: Database, tasks: int) -> None:
    """Successes of today."""
    async with database.connection() as connection:
        await connection.execute(_FINISHED, [tasks])
        await settle(connection)


@asynccontextmanager
async def pinned_horizon(database: Database) -> AsyncIterator[None]:
    """A snapshot held open: vacuum removes nothing that dies meanwhile."""
    async with await database.connect() as holder:
        await holder.execute("SET idle_in_transaction_session_timeout = 0")
        await holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await holder.execute("SELECT count(*) FROM taskfleet.queues")
        yield
        await holder.execute("ROLLBACK")


async def settle(connection: AsyncConnection[Any]) -> None:
    """Fresh statistics, and nothing left to write."""
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
