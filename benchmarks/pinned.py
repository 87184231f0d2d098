"""Steady work while a transaction holds the vacuum horizon, against the same work without: throughput, and whether it stays flat.

Four clients: each enqueues 100 tasks, claims 100 and completes them in the next claim's transaction, with the marks a worker keeps;
maintenance folds beside them. Slices of both sides take turns, each in a database of its own.
"""

import asyncio
import statistics
import sys
import time
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack

from benchmarks.claim_latency import REFRESH_SECONDS
from benchmarks.filling import QUEUE, copied_database, make_kinds, pinned_horizon
from benchmarks.frame import Goal, Outcome, Row, run
from taskfleet.embedded import EmbeddedServer
from taskfleet.maintenance import Maintenance
from taskfleet.migrations import Migrator
from taskfleet.models import Completion, Mark, NewSession, Settlement
from taskfleet.store import Database, WorkerStore

CLIENTS = 4
BATCH = 100
SIDES = ("clean", "pinned")
_ENQUEUE = """
WITH added AS (
    INSERT INTO taskfleet.tasks (kind_id, payload) SELECT 1, '{"source": "https://example.org/episodes/4711"}' FROM generate_series(1, 100)
    RETURNING id, kind_id
),
placed AS (
    INSERT INTO taskfleet.ready (task_id, run_at, due_since, kind_id, priority) SELECT id, now(), now(), kind_id, 5 FROM added
)
INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
SELECT 1, 5, taskfleet.backlog_bucket(now(), now()), count(*) FROM added
"""


class Side:
    """One database with four clients that keep it busy while they are let."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = WorkerStore(database)
        self.rates: list[float] = []
        self.claims_ms: list[float] = []

    async def work(self, seconds: float) -> None:
        """One slice; its rate is kept."""
        ends = time.perf_counter() + seconds
        began = time.perf_counter()
        maintenance, stop = Maintenance(self.database), asyncio.Event()
        folding = asyncio.create_task(maintenance.run(stop))
        done = sum(await asyncio.gather(*(self._client(ends) for _ in range(CLIENTS))))
        self.rates.append(done / (time.perf_counter() - began))
        stop.set()
        await folding

    async def _client(self, ends: float) -> int:
        session, done, refreshed = uuid.uuid4(), 0, 0.0
        await self.store.open_session(
            NewSession(session_id=session, queue=QUEUE, worker="bench", slots=1_000, kinds=["kind-1"], lease_seconds=600)
        )
        marks: Sequence[Mark] = ()
        settlement = Settlement()
        while time.perf_counter() < ends:
            async with self.database.connection() as connection:
                await connection.execute(_ENQUEUE)
            if time.perf_counter() - refreshed > REFRESH_SECONDS:
                marks = await self.store.low_water_marks(QUEUE, kinds=["kind-1"])
                refreshed = time.perf_counter()
            began = time.perf_counter()
            settled, claim = await self.store.settle_and_claim(settlement, session, kinds=["kind-1"], limit=BATCH, marks=marks)
            self.claims_ms.append((time.perf_counter() - began) * 1000)
            done += len(settled.finished)
            settlement = Settlement(completions=[Completion(lease=task.lease) for task in claim.tasks])
            if claim.tasks:
                marks = [Mark(kind="kind-1", priority=5, run_at=claim.tasks[0].run_at)]
        settled = await self.store.settle(settlement)
        return done + len(settled.finished)


async def _slices(server_url: str, *, slices: int, seconds: float) -> dict[str, Side]:
    sides: dict[str, Side] = {}
    async with AsyncExitStack() as stack:
        for name in SIDES:
            url = await copied_database(server_url, name)
            opened = await stack.enter_async_context(Database(url, pool_size=CLIENTS + 1, application_name="benchmark"))
            await make_kinds(opened, 1)
            sides[name] = Side(opened)
            await sides[name].work(seconds / 4)
            sides[name].rates.clear()
            sides[name].claims_ms.clear()
        await stack.enter_async_context(pinned_horizon(sides["pinned"].database))
        for _ in range(slices):
            for side in sides.values():
                await side.work(seconds)
    return sides


def measure(*, short: bool) -> Outcome:
    """Both sides in turns; the horizon is held through all slices."""
    slices, seconds = (2, 0.5) if short else (13, 12.0)
    with EmbeddedServer(options={"shared_buffers": "512MB", "max_wal_size": "4GB"}) as server:
        Migrator(server.url).up()
        sides = asyncio.run(_slices(server.url, slices=slices, seconds=seconds))
    clean, pinned = sides["clean"], sides["pinned"]
    third = max(1, slices // 3)
    drift = statistics.mean(pinned.rates[-third:]) / statistics.mean(pinned.rates[:third])
    drift /= statistics.mean(clean.rates[-third:]) / statistics.mean(clean.rates[:third])
    return Outcome(
        settings={"clients": CLIENTS, "batch": BATCH, "slices": slices, "seconds a slice": seconds, "fsync": "on"},
        results=[_row(name, side) for name, side in sides.items()],
        goals=[
            Goal(
                name="pinned, of clean",
                goal=0.95,
                value=statistics.median(pinned.rates) / statistics.median(clean.rates),
                unit="ratio",
                at_most=False,
            ),
            Goal(name="last third of the first, pinned, as clean does", goal=0.9, value=drift, unit="ratio", at_most=False),
        ],
    )


def _row(name: str, side: Side) -> Row:
    return {
        "horizon": name,
        "tasks/s": round(statistics.median(side.rates)),
        "least": round(min(side.rates)),
        "most": round(max(side.rates)),
        "first slice": round(side.rates[0]),
        "last slice": round(side.rates[-1]),
        "exchange p99 ms": statistics.quantiles(side.claims_ms, n=100)[98],
    }


if __name__ == "__main__":
    sys.exit(run("pinned", measure))
