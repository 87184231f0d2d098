"""One worker process at full speed for ten minutes (`--minutes N` for others): does its memory grow, does it lose connections or tasks?

Tasks of seven kinds end in every way there is while a producer keeps some thousand of them waiting. Memory after a minute of warm-up is
compared with memory at the end, each as the median of its samples; every task that was enqueued has to be finished when all is over.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path

import psycopg

from benchmarks.frame import Goal, Outcome, run
from taskfleet import Producer
from taskfleet.embedded import EmbeddedServer
from taskfleet.migrations import Migrator
from taskfleet.models import NewTask

CONCURRENCY = 100
WAITING, SHORT_WAITING = 10_000, 1_000
"""Tasks that wait while the worker is soaked; the short form proves no more than that it runs."""
SAMPLE_SECONDS = 1.0
MIXTURE = ["noop"] * 20 + ["typed"] * 4 + ["batch"] * 4 + ["thread"] * 2 + ["broken", "missing", "later"]
SHARE = 0.1
"""Of the time: its first tenth warms up (at most 60 s), the samples of the tenth behind it and of the last are compared."""


@dataclass(kw_only=True)
class Samples:
    """What was seen of the worker."""

    megabytes: list[float] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    open_files: list[int] = field(default_factory=list)


class Load:
    """Keeps tasks waiting."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._kinds = cycle(MIXTURE)
        self.enqueued = 0

    def top_up(self, *, to: int) -> None:
        """Enqueue what is missing."""
        wanted = to - self._producer.length()
        if wanted > 0:
            self._producer.enqueue_many([self._task(kind) for kind in islice(self._kinds, wanted)])
            self.enqueued += wanted

    def _task(self, kind: str) -> NewTask:
        self_made = {"number": self.enqueued, "text": "x" * 80}
        entity = f"page-{time.monotonic_ns()}" if kind == "missing" else None
        return NewTask(kind=kind, payload=self_made, entity=entity, max_attempts=2, wants_result=kind == "typed")


def megabytes_of(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def worker_process(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with these handlers; killed at the end if it still lives."""
    settings = {"DATABASE_URL": url, "CONCURRENCY": str(CONCURRENCY), "LOG_LEVEL": "ERROR", "POLL_SECONDS": "0.2"}
    environment = {**os.environ, **{f"TASKFLEET_{name}": value for name, value in settings.items()}}
    command = [sys.executable, "-m", "taskfleet_worker", "run", "--tasks", "benchmarks.soak_handlers"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def soak(url: str, seconds: float, *, waiting: int) -> tuple[Samples, int, int]:
    """The samples, how many tasks were enqueued, and the worker's exit code."""
    samples = Samples()
    with Producer(url) as producer, psycopg.connect(url, autocommit=True) as connection, worker_process(url) as worker:
        load, until = Load(producer), time.monotonic() + seconds
        load.top_up(to=waiting)
        while (now := time.monotonic()) < until:
            load.top_up(to=waiting)
            _sample(samples, worker.pid, connection)
            time.sleep(max(0.0, SAMPLE_SECONDS - (time.monotonic() - now)))
        deadline = time.monotonic() + 120
        while unfinished(connection) and time.monotonic() < deadline:
            time.sleep(0.1)
        worker.send_signal(signal.SIGTERM)
        return samples, load.enqueued, worker.wait(30)


def unfinished(connection: psycopg.Connection[tuple[int]]) -> int:
    """Tasks that wait or run."""
    query = "SELECT (SELECT count(*) FROM taskfleet.ready) + (SELECT count(*) FROM taskfleet.leases)"
    row = connection.execute(query).fetchone()
    return row[0] if row else 0


def finished(connection: psycopg.Connection[tuple[int]]) -> int:
    """Tasks with a record of their end."""
    query = "SELECT (SELECT count(*) FROM taskfleet.succeeded_tasks) + (SELECT count(*) FROM taskfleet.dead_letters)"
    row = connection.execute(query).fetchone()
    return row[0] if row else 0


def growth(values: Sequence[float], *, warm_up: int, window: int) -> float:
    """The median of the last `window` values less that of the first ones behind the warm-up."""
    return statistics.median(values[-window:]) - statistics.median(values[warm_up : warm_up + window])


def measure(seconds: float, *, waiting: int) -> Outcome:
    """One soak."""
    with EmbeddedServer(options={"shared_buffers": "256MB", "max_wal_size": "4GB"}) as server:
        Migrator(server.url).up()
        samples, enqueued, code = soak(server.url, seconds, waiting=waiting)
        with psycopg.connect(server.url, autocommit=True) as connection:
            lost = enqueued - finished(connection)
    warm_up = int(min(60.0, seconds * SHARE) / SAMPLE_SECONDS)
    window = max(1, int(len(samples.megabytes) * SHARE))
    grown = growth(samples.megabytes, warm_up=warm_up, window=window)
    return Outcome(
        settings={"seconds": seconds, "concurrency": CONCURRENCY, "waiting": waiting, "mixture": ", ".join(dict.fromkeys(MIXTURE))},
        results=[
            {
                "tasks": enqueued,
                "tasks/s": round(enqueued / seconds),
                "MiB after warm-up": round(statistics.median(samples.megabytes[warm_up : warm_up + window]), 1),
                "MiB at the end": round(statistics.median(samples.megabytes[-window:]), 1),
                "MiB at most": round(max(samples.megabytes), 1),
                "connections at most": max(samples.connections),
                "open files at most": max(samples.open_files),
                "exit code": code,
            }
        ],
        goals=[
            Goal(name="memory growth", goal=5.0, value=round(grown, 2), unit="MiB"),
            Goal(name="connections", goal=4, value=max(samples.connections[warm_up:]), unit="connections"),
            Goal(name="lost tasks", goal=0, value=lost, unit="tasks"),
        ],
    )


def _sample(samples: Samples, pid: int, connection: psycopg.Connection[tuple[int]]) -> None:
    row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'taskfleet-worker'").fetchone()
    samples.connections.append(row[0] if row else 0)
    samples.megabytes.append(megabytes_of(pid))
    samples.open_files.append(sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=10.0)
    chosen, others = parser.parse_known_args()

    def measured(*, short: bool) -> Outcome:
        return measure(3.0, waiting=SHORT_WAITING) if short else measure(chosen.minutes * 60, waiting=WAITING)

    return run("soak", measured, arguments=others)


if __name__ == "__main__":
    sys.exit(main())
