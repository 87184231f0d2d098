"""How fast tasks go through the store: claim and complete, against the least that any queue on PostgreSQL must do.

Variants: `ceiling`, one hot table, UPDATE to claim, DELETE to complete, no record kept; `functions`, the claim and completion functions
called bare; `store`, the same through `WorkerStore.settle_and_claim`, values in and out. They take turns on one server with fsync on.
"""

import asyncio
import statistics
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import product

from psycopg.types.json import Jsonb

from benchmarks.frame import Goal, Outcome, Row, run
from taskfleet.embedded import EmbeddedServer
from taskfleet.maintenance import run_once
from taskfleet.migrations import Migrator
from taskfleet.models import Completion, Mark, NewSession, Settlement
from taskfleet.store import Database, WorkerStore

CONNECTIONS = 4
PAYLOAD = {"source": "https://example.org/episodes/4711", "target": {"codec": "aac", "bitrate_kbps": 128}, "note": "x" * 40}

_CEILING = (
    "DROP TABLE IF EXISTS ceiling",
    "CREATE TABLE ceiling (id bigint PRIMARY KEY, state text NOT NULL, payload jsonb NOT NULL)",
    "CREATE INDEX ON ceiling (id) WHERE state = 'ready'",
)
_CEILING_CLAIM = """
UPDATE ceiling SET state = 'running'
WHERE id = ANY (ARRAY(SELECT id FROM ceiling WHERE state = 'ready' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING id, payload
"""
_FILL = """
WITH filled AS (
    INSERT INTO taskfleet.tasks (kind_id, payload)
    SELECT kinds.id, %(payload)s::jsonb FROM taskfleet.kinds, generate_series(1, %(tasks)s::integer)
    RETURNING id, kind_id
),
placed AS (
    INSERT INTO taskfleet.ready (task_id, run_at, due_since, kind_id, priority)
    SELECT id, now() - make_interval(secs => (%(tasks)s - id %% %(tasks)s) / 1000.0), now(), kind_id, 5 FROM filled ORDER BY id
    RETURNING kind_id, run_at
)
INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
SELECT kind_id, 5, taskfleet.backlog_bucket(run_at, now()), count(*) FROM placed GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to drain the queue: what fills it, and what one connection does until it is empty. It returns how many it did."""

    name: str
    fill: Callable[[Database, int], Awaitable[None]]
    drain: Callable[[Database, int], Awaitable[int]]


async def _fill_ceiling(database: Database, tasks: int) -> None:
    async with database.connection() as connection, connection.transaction():
        for statement in _CEILING:
            await connection.execute(statement)
        await connection.execute(
            "INSERT INTO ceiling SELECT id, 'ready', %s FROM generate_series(1, %s::integer) AS id", [Jsonb(PAYLOAD), tasks]
        )


async def _drain_ceiling(database: Database, batch: int) -> int:
    async with await database.connect() as connection:
        done = 0
        while True:
            rows = await (await connection.execute(_CEILING_CLAIM, [batch])).fetchall()
            if not rows:
                return done
            await connection.execute("DELETE FROM ceiling WHERE id = ANY (%s)", [[row[0] for row in rows]])
            done += len(rows)


async def _fill_queue(database: Database, tasks: int) -> None:
    await _session(WorkerStore(database))
    async with database.connection() as connection, connection.transaction():
        await connection.execute(_FILL, {"payload": Jsonb(PAYLOAD), "tasks": tasks})
    await run_once(database, ["fold_ledgers"])


async def _session(store: WorkerStore) -> uuid.UUID:
    session = uuid.uuid4()
    await store.open_session(NewSession(session_id=session, queue="bench", worker="bench", slots=1000, kinds=["noop"], lease_seconds=600))
    return session


async def _drain_functions(database: Database, batch: int) -> int:
    session, done = await _session(WorkerStore(database)), 0
    run_at: list[object] = []
    async with await database.connect() as connection:
        while True:
            claimed = await connection.execute(
                "SELECT task_id, token, payload, run_at FROM taskfleet.claim_v1(%s, '{noop}', %s, %s, %s, %s)",
                [session, batch, ["noop"] * len(run_at), [5] * len(run_at), run_at],
            )
            rows = await claimed.fetchall()
            if rows[0][0] is None:
                return done
            run_at = [rows[0][3]]
            await connection.execute(
                "SELECT count(*) FROM taskfleet.complete_v1(%s, %s, NULL)", [[row[0] for row in rows], [row[1] for row in rows]]
            )
            done += len(rows)


async def _drain_store(database: Database, batch: int) -> int:
    store = WorkerStore(database)
    session, settlement, done = await _session(store), Settlement(), 0
    marks: Sequence[Mark] = await store.low_water_marks("bench", kinds=["noop"])
    while True:
        settled, claim = await store.settle_and_claim(settlement, session, kinds=["noop"], limit=batch, marks=marks)
        done += len(settled.finished)
        if not claim.tasks:
            return done
        settlement = Settlement(completions=[Completion(lease=task.lease) for task in claim.tasks])
        marks = [Mark(kind="noop", priority=5, run_at=claim.tasks[0].run_at)]


VARIANTS = (
    Variant(name="ceiling", fill=_fill_ceiling, drain=_drain_ceiling),
    Variant(name="functions", fill=_fill_queue, drain=_drain_functions),
    Variant(name="store", fill=_fill_queue, drain=_drain_store),
)


async def _drained_per_second(url: str, variant: Variant, *, tasks: int, batch: int) -> float:
    async with Database(url, pool_size=CONNECTIONS, application_name="benchmark") as database:
        await variant.fill(database, tasks)
        async with await database.connect() as connection:
            await connection.execute("VACUUM ANALYZE")
            await connection.execute("CHECKPOINT")
        began = time.perf_counter()
        done = sum(await asyncio.gather(*(variant.drain(database, batch) for _ in range(CONNECTIONS))))
        seconds = time.perf_counter() - began
    if done != tasks:
        raise RuntimeError(f"{variant.name} drained {done} of {tasks} tasks")
    return tasks / seconds


def measure(*, short: bool) -> Outcome:
    """Each variant at each batch size, in turns."""
    tasks, runs = (2_000, 1) if short else (200_000, 5)
    batches = (100,) if short else (100, 500)
    rates: dict[tuple[int, str], list[float]] = {}
    with EmbeddedServer(options={"shared_buffers": "512MB", "max_wal_size": "8GB"}) as server:
        Migrator(server.url).up()
        for _, batch, variant in product(range(runs), batches, VARIANTS):
            rate = asyncio.run(_drained_per_second(server.url, variant, tasks=tasks, batch=batch))
            rates.setdefault((batch, variant.name), []).append(rate)
    return Outcome(
        settings={"tasks": tasks, "connections": CONNECTIONS, "runs": runs, "fsync": "on"},
        results=[_row(batch, name, found, rates[batch, "ceiling"]) for (batch, name), found in rates.items()],
        goals=[
            Goal(
                name=f"store, batch {batch}, of the ceiling",
                goal=0.6,
                value=statistics.median(rates[batch, "store"]) / statistics.median(rates[batch, "ceiling"]),
                unit="ratio",
                at_most=False,
            )
            for batch in batches
        ],
    )


def _row(batch: int, name: str, rates: Sequence[float], ceiling: Sequence[float]) -> Row:
    middle = statistics.median(rates)
    return {
        "variant": name,
        "batch": batch,
        "tasks/s": round(middle),
        "least": round(min(rates)),
        "most": round(max(rates)),
        "of ceiling": round(middle / statistics.median(ceiling), 2),
    }


if __name__ == "__main__":
    sys.exit(run("queue_store", measure))
