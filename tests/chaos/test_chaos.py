"""Eight real worker processes, killed, cut off and left without PostgreSQL again and again.

Nothing is lost, nothing done twice, no limit passed. What is done is told by the handlers themselves, in a file. Some seconds in the suite;
TASKFLEET_CHAOS_SECONDS=60 (`make chaos`) for longer, TASKFLEET_CHAOS_SEED for the same events in the same order.
"""

import asyncio
import os
import socket
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from benchmarks.fleet.processes import Fleet
from benchmarks.fleet.witness import doubled, most_at_once, most_starts_within, read_runs
from taskfleet import NewTask, Producer
from taskfleet.embedded import EmbeddedServer
from taskfleet.errors import TaskfleetError
from taskfleet.migrations import Migrator
from taskfleet.models import KindPolicy
from taskfleet.store import Database
from tests.chaos.storm import Storm
from tests.integration.queue.scene import Scene

SECONDS = float(os.environ.get("TASKFLEET_CHAOS_SECONDS", "5"))
SEED = int(os.environ.get("TASKFLEET_CHAOS_SEED", "0")) or Random().randrange(1, 1_000_000)
WORKERS, SLOTS, LEASE_SECONDS = 8, 2, 3.0
QUOTA, STARTS, PERIOD_SECONDS = 5, 20, 5.0
CALM_SECONDS = 45.0
"""After the storm everything must be done within so long: leases end, lost ones are taken back, what waits is run."""


@dataclass(kw_only=True)
class Feeder:
    """Keeps tasks coming; an answer that was lost is no answer, its tasks may be there or not."""

    url: str
    queue: str
    random: Random
    confirmed: set[int] = field(default_factory=set)

    def feed(self) -> None:
        """Some tasks of each kind, if the database takes them."""
        sizes = {"free": 20, "quota": 20, "rate": 3}
        tasks = [
            NewTask(kind=kind, payload={"seconds": self.random.uniform(0.01, 0.2)}, priority=self.random.randrange(10))
            for kind, size in sizes.items()
            for _ in range(size)
        ]
        try:
            with Producer(self.url, queue=self.queue) as producer:
                self.confirmed |= {answer.task_id for answer in producer.enqueue_many(tasks)}
        except TaskfleetError:
            return


async def policy(url: str) -> None:
    """The limits; a task may be tried as often as its workers are killed."""
    again = {"max_attempts": 1_000, "min_backoff_seconds": 0.0, "max_backoff_seconds": 0.1}
    async with Database(url) as database:
        await Scene(database=database).policy(
            KindPolicy(kind="free", **again),  # type: ignore[arg-type]
            KindPolicy(kind="quota", max_concurrent=QUOTA, **again),  # type: ignore[arg-type]
            KindPolicy(kind="rate", rate_starts=STARTS, rate_period_seconds=PERIOD_SECONDS, **again),  # type: ignore[arg-type]
        )


def restartable_server(stack: ExitStack) -> EmbeddedServer:
    """A server whose data and address survive its restarts. It keeps what it has confirmed, whoever kills it, but not a power cut."""
    folder = stack.enter_context(TemporaryDirectory(prefix="taskfleet-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return EmbeddedServer(folder, port=port, options={"max_connections": "200", "fsync": "off"})


@dataclass(frozen=True, kw_only=True)
class End:
    """What the database holds when nothing is left to do."""

    left: Sequence[int]
    """Rows in ready, leases and dead_letters."""
    succeeded: Counter[int]
    enqueued: int
    counted: int
    """Successes by the counters."""
    faults: Sequence[object]


async def when_done(url: str) -> End:
    """Wait until nothing waits or runs, and look."""
    async with Database(url) as database:
        scene = Scene(database=database)
        until = time.monotonic() + CALM_SECONDS
        while time.monotonic() < until and await scene.count("ready") + await scene.count("leases"):
            await asyncio.sleep(0.1)
        outcomes = await scene.outcomes()
        return End(
            left=[await scene.count(relation) for relation in ("ready", "leases", "dead_letters")],
            succeeded=Counter(row["id"] for row in await scene.rows("SELECT id FROM taskfleet.succeeded_tasks")),
            enqueued=outcomes["enqueued", ""],
            counted=outcomes["succeeded", ""],
            faults=await scene.faults(),
        )


@pytest.mark.timeout(SECONDS + 110)
@pytest.mark.requirement("A4", "B2", "B4", "B5", "E6", "E10")
def test_nothing_is_lost_or_done_twice_and_no_limit_is_passed(tmp_path: Path) -> None:
    print(f"seed {SEED}: TASKFLEET_CHAOS_SEED={SEED} tries the same again")  # noqa: T201
    random = Random(SEED)
    with ExitStack() as stack:
        server = stack.enter_context(restartable_server(stack))
        Migrator(server.url).up()
        asyncio.run(policy(server.url))
        feeder = Feeder(url=server.url, queue="mail", random=random)
        environment = {
            "TASKFLEET_DATABASE_URL": server.url,
            "TASKFLEET_QUEUE": feeder.queue,
            "TASKFLEET_CONCURRENCY": str(SLOTS),
            "TASKFLEET_LEASE_SECONDS": str(LEASE_SECONDS),
            "TASKFLEET_CONNECT_TRIES": "20",
        }
        feeder.feed()
        fleet = stack.enter_context(Fleet(size=WORKERS, environment=environment, folder=tmp_path))
        storm = Storm(fleet=fleet, server=server, random=random)
        storm.rage(SECONDS, meanwhile=feeder.feed)
        end = asyncio.run(when_done(server.url))
        now = time.monotonic()
    runs = read_runs(fleet.witness, deaths=fleet.deaths, until=now)
    quota, rate = ([run for run in runs if run.kind == kind] for kind in ("quota", "rate"))
    print(f"{dict(storm.happened)}, {end.counted} tasks, {len(runs)} runs\n{fleet.log[-3000:]}")  # noqa: T201

    assert list(end.left) == [0, 0, 0]
    assert feeder.confirmed <= set(end.succeeded)
    assert (end.succeeded.total(), len(end.succeeded), end.counted) == (end.enqueued, end.enqueued, end.enqueued)
    assert end.faults == []
    assert set(end.succeeded) <= {run.task_id for run in runs}
    assert doubled(runs) == []
    assert most_at_once(quota) <= QUOTA
    assert most_starts_within(rate, seconds=PERIOD_SECONDS) <= STARTS
