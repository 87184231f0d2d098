"""Where contenders run: one embedded server, a filled database for each of them to start from, and what a drain cost."""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil
import psycopg
from psycopg import sql

from benchmarks.contenders import PEERS, Contender, call
from benchmarks.peers import tally
from taskfleet.embedded import EmbeddedServer

SERVER = {"shared_buffers": "512MB", "max_wal_size": "8GB", "max_connections": "200"}
"""The same for all; fsync stays on."""
LEAD_IN = 0.1
"""Share of the tasks that is not counted: processes start one after the other."""
LOOK_SECONDS = 0.5
END_SECONDS = 60.0
START_SECONDS = 3.0
"""What a fleet gets to start before lone tasks are sent."""
LAST_SECONDS = 20.0
"""What the last lone task gets, at most."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to run a contender."""

    name: str
    contender: Contender
    command: Sequence[str] = ()
    """Starts a worker; empty: the program's own command `work`."""
    tuned: bool = False
    processes: int = 1
    kind: str = "noop"
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    """In words, and where the advice stands."""
    of_interest: bool = True
    """False: shown beside the others, but no goal compares with it."""


@dataclass(frozen=True, kw_only=True)
class Drain:
    """What one run did and cost."""

    per_second: float
    done: int
    commits: float
    wal_bytes: float
    client_microseconds: float
    server_microseconds: float
    """The last four for each task."""


class Stage:
    """A server on which variants take turns."""

    def __init__(self, *, tasks: int, most_seconds: float) -> None:
        self._tasks = tasks
        self._most_seconds = most_seconds
        self._server = EmbeddedServer(options=SERVER)
        self._filled: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def environment(self, variant: Variant, database: str, *, tasks: int, report: Path | None = None) -> Mapping[str, str]:
        """What a program of this variant reads."""
        url = self._server.url_of(database)
        return {
            **os.environ,
            "PYTHONPATH": f"{PEERS}{os.pathsep}{PEERS / variant.contender.name}",
            "DATABASE_URL": url,
            "TASKFLEET_DATABASE_URL": url,
            "BENCH_TASKS": str(tasks),
            "BENCH_TUNED": str(int(variant.tuned)),
            "BENCH_KIND": variant.kind,
            "BENCH_REPORT": str(report),
            **variant.environment,
        }

    def database(self, variant: Variant, *, tasks: int) -> str:
        """A fresh database with the contender's schema and so many tasks, made from a template that is filled once."""
        template = f"{variant.contender.name}_{variant.kind}_{int(variant.tuned)}_{tasks}"
        if template not in self._filled:
            self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(template)))
            program, environment = variant.contender.program(), self.environment(variant, template, tasks=tasks)
            call([*program, "install"], environment)
            self._filled[template] = call([*program, "bulk"], environment)["seconds"] if tasks else 0.0
            with psycopg.connect(self._server.url_of(template), autocommit=True) as connection:
                connection.execute("VACUUM (FREEZE, ANALYZE)")
        self._execute(sql.SQL("DROP DATABASE IF EXISTS run"))
        self._execute(sql.SQL("CREATE DATABASE run TEMPLATE {} STRATEGY file_copy").format(sql.Identifier(template)))
        self._execute(sql.SQL("CHECKPOINT"))
        return "run"

    def drain(self, variant: Variant) -> Drain:
        """Let workers drain a filled database; stopped after `most_seconds`, the rate is that of what was done."""
        database = self.database(variant, tasks=self._tasks)
        with tempfile.TemporaryDirectory() as folder:
            before = self.spent(database)
            reports = [Path(folder) / str(number) for number in range(variant.processes)]
            client = self._work(variant, database, reports)
            after = self.spent(database)
            counts = sum((_counts(path) for path in reports), Counter[int]())
        done = sum(counts.values())
        if not done:
            raise RuntimeError(f"{variant.name} has done nothing")
        return Drain(
            per_second=rate(counts),
            done=done,
            commits=(after.commits - before.commits) / done,
            wal_bytes=(after.wal_bytes - before.wal_bytes) / done,
            client_microseconds=client * 1e6 / done,
            server_microseconds=(after.seconds - before.seconds) * 1e6 / done,
        )

    def enqueue(self, variant: Variant, command: str, *, tasks: int) -> Drain:
        """Let the program enqueue so many tasks by its command `bulk` or `single`."""
        database = self.database(variant, tasks=0)
        program = variant.contender.program()
        before = self.spent(database)
        seconds = call([*program, command], self.environment(variant, database, tasks=tasks))["seconds"]
        after = self.spent(database)
        return Drain(
            per_second=tasks / seconds,
            done=tasks,
            commits=(after.commits - before.commits) / tasks,
            wal_bytes=(after.wal_bytes - before.wal_bytes) / tasks,
            client_microseconds=seconds * 1e6 / tasks,
            server_microseconds=(after.seconds - before.seconds) * 1e6 / tasks,
        )

    def pick_up(self, variant: Variant, *, tasks: int, start_seconds: float = START_SECONDS) -> Sequence[float]:
        """How many seconds each of so many lone tasks was on its way to an idle fleet."""
        database = self.database(variant, tasks=0)
        with tempfile.TemporaryDirectory() as folder:
            reports = [Path(folder) / str(number) for number in range(variant.processes)]
            workers = [self.start(variant, database, path) for path in reports]
            try:
                time.sleep(start_seconds)
                call([*variant.contender.program(), "lone"], self.environment(variant, database, tasks=tasks))
                self._wait_until_done(variant, database, workers, seconds=LAST_SECONDS)
            finally:
                for worker in workers:
                    worker.terminate()
                for worker in workers:
                    ended(worker)
            return [value for path in reports for value in _latencies(path)]

    def start(self, variant: Variant, database: str, report: Path) -> "subprocess.Popen[bytes]":
        """Start one worker process."""
        command = variant.command or [*variant.contender.program(), "work"]
        environment = self.environment(variant, database, tasks=self._tasks, report=report)
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _work(self, variant: Variant, database: str, reports: Sequence[Path]) -> float:
        """Run the workers until nothing waits, or for their time; the CPU time that they took."""
        workers = [self.start(variant, database, path) for path in reports]
        self._wait_until_done(variant, database, workers, seconds=self._most_seconds)
        for worker in workers:
            if not gone(worker):
                worker.terminate()
        return sum(ended(worker) for worker in workers)

    def _wait_until_done(self, variant: Variant, database: str, workers: Sequence["subprocess.Popen[bytes]"], *, seconds: float) -> None:
        """Until nothing waits or runs, no worker is left, or so many seconds are over."""
        deadline = time.monotonic() + seconds
        with psycopg.connect(self._server.url_of(database), autocommit=True) as connection:
            while time.monotonic() < deadline and not all(gone(worker) for worker in workers):
                row = connection.execute(variant.contender.waits.encode()).fetchone()
                if row is not None and not row[0]:
                    break
                time.sleep(min(LOOK_SECONDS, max(0.0, deadline - time.monotonic())))

    def spent(self, database: str) -> "Spent":
        """What the server has done so far."""
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            connection.execute("SELECT pg_stat_force_next_flush()")
            commits, wal_bytes = connection.execute(
                "SELECT xact_commit, pg_current_wal_insert_lsn() - '0/0' FROM pg_stat_database WHERE datname = %s", [database]
            ).fetchone() or (0, 0)
        return Spent(commits=int(commits), wal_bytes=float(wal_bytes), seconds=self._server_seconds())

    def _server_seconds(self) -> float:
        process = psutil.Process(self._server.process_id)
        living = [_seconds_of(child) for child in process.children(recursive=True)]
        spent = process.cpu_times()
        return float(spent.user + spent.system + spent.children_user + spent.children_system + sum(living))

    def _execute(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            connection.execute(statement)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a server has done since it started, or a database was made."""

    commits: int
    wal_bytes: float
    seconds: float


def gone(worker: "subprocess.Popen[bytes]") -> bool:
    """Whether a process has ended; it is left for `ended`, which learns what it took."""
    return os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def ended(worker: "subprocess.Popen[bytes]") -> float:
    """Wait for a process that was told to end; its CPU time."""
    deadline = time.monotonic() + END_SECONDS
    while True:
        ended_pid, _, usage = os.wait4(worker.pid, os.WNOHANG)
        if ended_pid:
            worker.returncode = 0
            return usage.ru_utime + usage.ru_stime
        if time.monotonic() > deadline:
            worker.kill()
        time.sleep(0.02)


def rate(counts: Counter[int]) -> float:
    """Tasks a second from the slice in which the lead-in was done to the last slice."""
    total, passed, first = sum(counts.values()), 0, min(counts)
    for slice_ in sorted(counts):
        if passed >= LEAD_IN * total:
            first = slice_
            break
        passed += counts[slice_]
    seconds = (max(counts) + 1 - first) / tally.SLICES
    return (total - passed) / seconds


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def _seconds_of(process: psutil.Process) -> float:
    """CPU time of a server process; what has just ended is counted with its parent."""
    try:
        spent = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(spent.user + spent.system)


def _latencies(path: Path) -> Sequence[float]:
    """The latencies that a handler saw, in seconds."""
    return [float(value) for value in json.loads(path.read_text())["latencies"]] if path.exists() else ()


def _counts(path: Path) -> Counter[int]:
    if not path.exists():
        return Counter()
    return Counter({int(key): int(value) for key, value in json.loads(path.read_text())["slices"].items()})
