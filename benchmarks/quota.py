"""Limits of the whole fleet as its handlers see them: never above, and well used, while workers are killed.

Two kinds at once: `quota` may run `--limit` tasks at a time, `rate` may start 30 in any 60 seconds. Each connection is a worker process of
one slot that serves both. The handlers write down when they begin and end; the database is not asked.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

from benchmarks.fleet.processes import Fleet
from benchmarks.fleet.witness import Run, busy_share, doubled, most_at_once, most_starts_within, read_runs
from benchmarks.frame import Goal, Outcome, run
from taskfleet import NewTask, Producer
from taskfleet.embedded import EmbeddedServer
from taskfleet.migrations import Migrator
from taskfleet.models import KindPolicy, QueuePolicy
from taskfleet.store import Database, OperatorStore

QUEUE = "limits"
LEASE_SECONDS = 5.0
KILL_EVERY_SECONDS = 10.0
RATE_STARTS, RATE_SECONDS = 30, 60.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is asked of the fleet."""

    connections: int = 24
    limit: int = 10
    seconds: float = 60.0
    task_seconds: float = 1.0
    kill: bool = True
    seed: int = 1


def measure(load: Load, *, short: bool) -> Outcome:
    """Run the fleet for a while and read what its handlers saw."""
    if short:
        load = replace(load, connections=6, limit=3, seconds=3.0, task_seconds=0.2)
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(options={"max_connections": "200"}) as server:
        Migrator(server.url).up()
        asyncio.run(_prepare(server.url, load))
        environment = {
            "TASKFLEET_DATABASE_URL": server.url,
            "TASKFLEET_QUEUE": QUEUE,
            "TASKFLEET_LEASE_SECONDS": str(LEASE_SECONDS),
        }
        with Fleet(size=load.connections, environment=environment, folder=Path(folder)) as fleet:
            begin, end = _let_work(fleet, load)
        runs = read_runs(fleet.witness, deaths=fleet.deaths, until=end)
    return _outcome(runs, load, begin=begin, end=end, kills=len(fleet.deaths) - load.connections)


async def _prepare(url: str, load: Load) -> None:
    """The limits, and more tasks than can be done."""
    kinds = [
        KindPolicy(kind="quota", max_concurrent=load.limit, max_attempts=100, min_backoff_seconds=0, max_backoff_seconds=0),
        KindPolicy(kind="rate", rate_starts=RATE_STARTS, rate_period_seconds=RATE_SECONDS, max_attempts=100),
    ]
    async with Database(url) as database:
        await OperatorStore(database).write_policy(QueuePolicy(queue=QUEUE, kinds=kinds), epoch=None)
    enough = round(load.limit * (load.seconds + 60) / load.task_seconds)
    with Producer(url, queue=QUEUE) as producer:
        producer.enqueue_many(NewTask(kind="quota", payload={"seconds": load.task_seconds}) for _ in range(enough))
        producer.enqueue_many(NewTask(kind="rate", payload={"seconds": load.task_seconds}) for _ in range(1_000))


def _let_work(fleet: Fleet, load: Load) -> tuple[float, float]:
    """From the moment at which the limit was in use for the first time; workers are killed on the way."""
    random = Random(load.seed)
    latest = time.monotonic() + 60
    while most_at_once(_so_far(fleet)) < load.limit:
        time.sleep(0.2)
        if time.monotonic() > latest:
            raise RuntimeError(f"the fleet did not come to {load.limit} tasks at once within a minute:\n{fleet.log[-3000:]}")
    begin = time.monotonic()
    every = KILL_EVERY_SECONDS if load.seconds > KILL_EVERY_SECONDS else load.seconds / 3
    kill_at = begin + every
    while time.monotonic() < begin + load.seconds:
        if load.kill and time.monotonic() >= kill_at:
            fleet.kill_one(random)
            kill_at += every
        time.sleep(0.05)
    return begin, time.monotonic()


def _so_far(fleet: Fleet) -> Sequence[Run]:
    now = time.monotonic()
    runs = read_runs(fleet.witness, deaths=fleet.deaths, until=now) if fleet.witness.exists() else ()
    return [seen for seen in runs if seen.kind == "quota"]


def _outcome(runs: Sequence[Run], load: Load, *, begin: float, end: float, kills: int) -> Outcome:
    quota, rate = ([seen for seen in runs if seen.kind == kind] for kind in ("quota", "rate"))
    at_once, starts = most_at_once(quota), most_starts_within(rate, seconds=RATE_SECONDS)
    used = busy_share(quota, slots=load.limit, begin=begin, end=end)
    return Outcome(
        settings={
            "connections": load.connections,
            "seconds": round(end - begin, 1),
            "lease_seconds": LEASE_SECONDS,
            "task_seconds": load.task_seconds,
            "kills": kills,
            "seed": load.seed,
        },
        results=[
            {"kind": "quota", "limit": load.limit, "most": at_once, "used": round(used, 3), "runs": len(quota)},
            {"kind": "rate", "limit": RATE_STARTS, "most": starts, "used": round(min(starts / RATE_STARTS, 1.0), 3), "runs": len(rate)},
        ],
        goals=[
            Goal(name="most tasks of the kind at once", goal=load.limit, value=at_once, unit="tasks"),
            Goal(name=f"most starts in any {RATE_SECONDS:g} s", goal=RATE_STARTS, value=starts, unit="starts"),
            Goal(name="use of the quota", goal=0.8, value=used, unit="of its slots", at_most=False),
            Goal(name="attempts that ran twice", goal=0, value=len(doubled(runs)), unit="attempts"),
        ],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quota", add_help=False)
    parser.add_argument("--connections", type=int, default=24)
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--task-seconds", type=float, default=1.0)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    own, others = parser.parse_known_args(arguments)
    return run("quota", partial(measure, Load(**vars(own))), arguments=others)


if __name__ == "__main__":
    sys.exit(main())
