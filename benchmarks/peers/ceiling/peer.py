"""The least that any queue on PostgreSQL must do: one hot table, UPDATE to claim, DELETE to complete, no record kept."""

import asyncio
import json
import os
import sys
import time

import psycopg
import tally
from psycopg.types.json import Jsonb

CONNECTIONS = int(os.environ.get("BENCH_CONNECTIONS", "2"))
BATCH = int(os.environ.get("BENCH_BATCH", "500"))
TABLE = (
    "CREATE TABLE ceiling (id bigint PRIMARY KEY, state text NOT NULL, payload jsonb NOT NULL)",
    "CREATE INDEX ON ceiling (id) WHERE state = 'ready'",
)
CLAIM = """
UPDATE ceiling SET state = 'running'
WHERE id = ANY (ARRAY(SELECT id FROM ceiling WHERE state = 'ready' ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING id, payload
"""
COMPLETE = "DELETE FROM ceiling WHERE id = ANY (%s)"


def install() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        for statement in TABLE:
            connection.execute(statement)


def bulk() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        began = time.perf_counter()
        with connection.cursor().copy("COPY ceiling (id, state, payload) FROM STDIN") as copy:
            for number in range(tally.tasks()):
                copy.write_row((number, "ready", Jsonb(tally.PAYLOAD)))
        connection.commit()
        sys.stdout.write(json.dumps({"seconds": time.perf_counter() - began}))


async def drain() -> None:
    async with await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        while rows := await (await connection.execute(CLAIM, [BATCH])).fetchall():
            tally.seen_batch(len(rows))
            await connection.execute(COMPLETE, [[row[0] for row in rows]])


async def work() -> None:
    await asyncio.gather(*(drain() for _ in range(CONNECTIONS)))
    tally.report()


if sys.argv[1] == "work":
    asyncio.run(work())
else:
    {"install": install, "bulk": bulk}[sys.argv[1]]()
