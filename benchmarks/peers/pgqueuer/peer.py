"""pgqueuer under the commands of benchmarks/peers/__init__.py.

Tuned: its guide "Performance Tuning": a larger batch for short jobs and `pgq autovac`. It stays durable, as all others here.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time

import asyncpg
import tally
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

BULK = 10_000
TUNED_BATCH = 100


async def _queries():
    return Queries(AsyncpgDriver(await asyncpg.connect(os.environ["DATABASE_URL"])))


async def install():
    queries = await _queries()
    await queries.install()
    if tally.tuned():
        await queries.optimize_autovacuum()


async def bulk():
    queries, total = await _queries(), tally.tasks()
    began = time.perf_counter()
    for done in range(0, total, BULK):
        size = min(BULK, total - done)
        payloads = [json.dumps(tally.PAYLOAD).encode() for _ in range(size)]
        await queries.enqueue(["noop"] * size, payloads, [0] * size)
    print(json.dumps({"seconds": time.perf_counter() - began}))


async def single():
    queries = await _queries()
    began = time.perf_counter()
    for _ in range(tally.tasks()):
        await queries.enqueue("noop", json.dumps(tally.PAYLOAD).encode())
    print(json.dumps({"seconds": time.perf_counter() - began}))


async def lone():
    queries = await _queries()
    for _ in range(tally.tasks()):
        await asyncio.sleep(tally.PAUSE_SECONDS * random.uniform(0.5, 1.5))
        await queries.enqueue("noop", json.dumps({**tally.PAYLOAD, "sent": time.time()}).encode())


async def work():
    queuer = PgQueuer(AsyncpgDriver(await asyncpg.connect(os.environ["DATABASE_URL"])))

    @queuer.entrypoint("noop")
    async def noop(job):
        tally.seen(json.loads(job.payload))

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queuer.shutdown.set)
    if tally.tuned():
        await queuer.run(batch_size=TUNED_BATCH)
    else:
        await queuer.run()
    tally.report()


uvloop.run({"install": install, "bulk": bulk, "single": single, "lone": lone, "work": work}[sys.argv[1]]())
