"""procrastinate under the commands of benchmarks/peers/__init__.py.

Tuned: its how-to "Launch multiple parallel workers / concurrency" (more jobs at once in each worker) and "Delete finished jobs".
"""

import asyncio
import json
import os
import random
import sys
import time

import procrastinate
import tally

BULK = 10_000
TUNED_CONCURRENCY = 30

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))


@app.task(name="noop")
async def noop(**payload):
    tally.seen(payload)


async def install():
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def bulk():
    async with app.open_async():
        total = tally.tasks()
        began = time.perf_counter()
        for done in range(0, total, BULK):
            await noop.batch_defer_async(*[tally.PAYLOAD] * min(BULK, total - done))
        print(json.dumps({"seconds": time.perf_counter() - began}))


async def single():
    async with app.open_async():
        began = time.perf_counter()
        for _ in range(tally.tasks()):
            await noop.defer_async(**tally.PAYLOAD)
        print(json.dumps({"seconds": time.perf_counter() - began}))


async def lone():
    async with app.open_async():
        for _ in range(tally.tasks()):
            await asyncio.sleep(tally.PAUSE_SECONDS * random.uniform(0.5, 1.5))
            await noop.defer_async(**tally.PAYLOAD, sent=time.time())


async def work():
    async with app.open_async():
        if tally.tuned():
            await app.run_worker_async(concurrency=TUNED_CONCURRENCY, delete_jobs="successful")
        else:
            await app.run_worker_async()
    tally.report()


asyncio.run({"install": install, "bulk": bulk, "single": single, "lone": lone, "work": work}[sys.argv[1]]())
