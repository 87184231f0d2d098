"""How long a claim takes, by the size of the queue: 0.1, 1 and 10 million waiting, 10 million finished, and with a snapshot pinned.

Each size is a database of its own, filled by SQL; rounds of claims go over them in turns. A claim takes ten tasks from the marks a worker
keeps; what it took is completed outside the time. In `pinned` a snapshot is held while a third of the queue is worked off, so that claims
walk among index entries that cannot be removed.
"""

import asyncio
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.filling import QUEUE, copied_database, fill_finished, fill_waiting, make_kinds, pinned_horizon
from benchmarks.frame import Goal, Outcome, Row, progress, run
from taskfleet.embedded import EmbeddedServer
from taskfleet.maintenance import run_once
from taskfleet.migrations import Migrator
from taskfleet.models import Completion, Mark, NewSession, Settlement
from taskfleet.store import Database, WorkerStore

BATCH = 10
KINDS = 4
GOAL = 1.5
REFRESH_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Size:
    """One queue."""

    name: str
    waiting: int
    finished: int = 0
    pinned: bool = False


SIZES = (
    Size(name="0.1 M waiting", waiting=100_000),
    Size(name="1 M waiting", waiting=1_000_000),
    Size(name="10 M waiting", waiting=10_000_000),
    Size(name="10 M finished", waiting=100_000, finished=10_000_000),
    Size(name="snapshot pinned", waiting=100_000, pinned=True),
)
SHORT = (
    Size(name="small", waiting=2_000),
    Size(name="larger", waiting=20_000, finished=20_000),
    Size(name="pinned", waiting=2_000, pinned=True),
)


@dataclass(kw_only=True)
class Claimer:
    """A worker that claims, and keeps marks as workers do."""

    store: WorkerStore
    kinds: Sequence[str]
    session: uuid.UUID = field(default_factory=uuid.uuid4)
    marks: dict[tuple[str, int], Mark] = field(default_factory=dict)
    refreshed_at: float = 0.0

    async def open(self) -> None:
        """Say hello."""
        await self.store.open_session(
            NewSession(session_id=self.session, queue=QUEUE, worker="bench", slots=1_000, kinds=self.kinds, lease_seconds=3_600)
        )

    async def claim(self, limit: int) -> float:
        """Milliseconds of one claim; what it took is completed."""
        if time.perf_counter() - self.refreshed_at > REFRESH_SECONDS:
            found = await self.store.low_water_marks(QUEUE, kinds=self.kinds)
            self.marks = {(mark.kind, mark.priority): mark for mark in found}
            self.refreshed_at = time.perf_counter()
        began = time.perf_counter()
        claim = await self.store.claim(self.session, kinds=self.kinds, limit=limit, marks=list(self.marks.values()))
        took = (time.perf_counter() - began) * 1000
        if len(claim.tasks) < limit:
            raise RuntimeError(f"a claim brought {len(claim.tasks)} of {limit} tasks")
        for task in claim.tasks:
            key = (task.kind, task.priority)
            if key not in self.marks or self.marks[key].run_at < task.run_at:
                self.marks[key] = Mark(kind=task.kind, priority=task.priority, run_at=task.run_at)
        await self.store.settle(Settlement(completions=[Completion(lease=task.lease) for task in claim.tasks]))
        return took


@asynccontextmanager
async def _prepared(url: str, size: Size) -> AsyncIterator[Claimer]:
    async with Database(url, pool_size=2, application_name="benchmark") as database, AsyncExitStack() as stack:
        kinds = await make_kinds(database, KINDS)
        await fill_waiting(database, tasks=size.waiting, seconds=600)
        if size.finished:
            await fill_finished(database, size.finished)
        await run_once(database, ["fold_ledgers"])
        claimer = Claimer(store=WorkerStore(database), kinds=kinds)
        await claimer.open()
        if size.pinned:
            await stack.enter_async_context(pinned_horizon(database))
            for _ in range(size.waiting // 3 // 100):
                await claimer.claim(100)
            await run_once(database, ["fold_ledgers"])
        yield claimer


async def _rounds(server_url: str, sizes: Sequence[Size], *, rounds: int, claims: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {size.name: [] for size in sizes}
    async with AsyncExitStack() as stack:
        claimers: dict[str, Claimer] = {}
        for number, size in enumerate(sizes):
            progress(f"filling: {size.name}")
            url = await copied_database(server_url, f"size_{number}")
            claimers[size.name] = await stack.enter_async_context(_prepared(url, size))
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}")
            for name, claimer in claimers.items():
                await claimer.claim(BATCH)
                found[name] += [await claimer.claim(BATCH) for _ in range(claims)]
    return found


def measure(*, short: bool) -> Outcome:
    """Every size in turns."""
    sizes, rounds, claims = (SHORT, 2, 5) if short else (SIZES, 20, 100)
    with EmbeddedServer(options={"shared_buffers": "512MB", "max_wal_size": "4GB"}) as server:
        Migrator(server.url).up()
        found = asyncio.run(_rounds(server.url, sizes, rounds=rounds, claims=claims))
    rows = [_row(name, times, found[sizes[0].name]) for name, times in found.items()]
    return Outcome(
        settings={"kinds": KINDS, "batch": BATCH, "rounds": rounds, "claims a round": claims, "fsync": "on"},
        results=rows,
        goals=[
            Goal(name=f"p99, {row['queue']}, of the small one", goal=GOAL, value=float(row["p99 ratio"]), unit="ratio") for row in rows[1:]
        ],
    )


def _row(name: str, times: Sequence[float], small: Sequence[float]) -> Row:
    return {
        "queue": name,
        "p50 ms": statistics.median(times),
        "p99 ms": _p99(times),
        "p50 ratio": statistics.median(times) / statistics.median(small),
        "p99 ratio": _p99(times) / _p99(small),
    }


def _p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


if __name__ == "__main__":
    sys.exit(run("claim_latency", measure))
