"""What one look of the operator costs: 200 kinds, 10 million tasks waiting over 48 hours, clean and with a snapshot pinned.

The ledger is made by SQL, without the tasks: the query reads none (a plan test holds it to that). `pinned` holds a snapshot open while
ledger rows are written and folded, so that their dead versions cannot be removed.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence

from benchmarks.filling import QUEUE, fill_ledger, make_kinds, pinned_horizon
from benchmarks.frame import Goal, Outcome, Row, run
from taskfleet.embedded import EmbeddedServer
from taskfleet.maintenance import run_once
from taskfleet.migrations import Migrator
from taskfleet.store import Database, OperatorStore

GOAL_MS = 20.0
_CHURN = """
INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
SELECT kinds.id, 5, taskfleet.backlog_bucket(now(), now()), 1 FROM taskfleet.kinds CROSS JOIN generate_series(1, %s::integer)
"""


async def _looks(database: Database, count: int) -> Sequence[float]:
    """Milliseconds of each look, answer read."""
    store, found = OperatorStore(database), []
    for _ in range(count):
        began = time.perf_counter()
        await store.measure([QUEUE])
        found.append((time.perf_counter() - began) * 1000)
    return found


async def _churn(database: Database, rows: int, kinds: int) -> None:
    """Write ledger rows and fold them away, a second's worth at a time."""
    for _ in range(max(1, rows // (kinds * 5))):
        async with database.connection() as connection:
            await connection.execute(_CHURN, [5])
        await run_once(database, ["fold_ledgers"])


async def _measured(url: str, *, kinds: int, tasks: int, looks: int, churned: Sequence[int]) -> tuple[int, Sequence[Row]]:
    async with Database(url, pool_size=2, application_name="benchmark") as database:
        await make_kinds(database, kinds)
        buckets = await fill_ledger(database, tasks=tasks, seconds=172_800)
        rows = [_row("clean", 0, await _looks(database, looks))]
        async with pinned_horizon(database):
            done = 0
            for level in churned:
                await _churn(database, level - done, kinds)
                done = level
                rows.append(_row("pinned", level, await _looks(database, looks)))
    return buckets, rows


def _row(name: str, dead: int, found: Sequence[float]) -> Row:
    return {
        "horizon": name,
        "ledger rows written and folded": dead,
        "median ms": statistics.median(found),
        "p95 ms": statistics.quantiles(found, n=20)[18],
        "least ms": min(found),
    }


def measure(*, short: bool) -> Outcome:
    """Clean first, then pinned with more and more dead rows."""
    kinds, tasks, looks, churned = (20, 100_000, 5, (1_000,)) if short else (200, 10_000_000, 60, (30_000, 100_000))
    with EmbeddedServer(options={"shared_buffers": "512MB"}) as server:
        Migrator(server.url).up()
        buckets, rows = asyncio.run(_measured(server.url, kinds=kinds, tasks=tasks, looks=looks, churned=churned))
    return Outcome(
        settings={"kinds": kinds, "waiting": tasks, "over": "48 h", "buckets": buckets, "looks": looks},
        results=rows,
        goals=[
            Goal(
                name=f"look, {row['horizon']}, {row['ledger rows written and folded']} rows",
                goal=GOAL_MS,
                value=float(row["median ms"]),
                unit="ms",
            )
            for row in rows
        ],
    )


if __name__ == "__main__":
    sys.exit(run("measuring", measure))
