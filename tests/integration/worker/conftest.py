"""Real worker processes over a real database, with handlers that tests hold and let go through files."""

import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

import taskfleet
from taskfleet.models import Task
from tests.support.processes import Processes, RunningProcess
from tests.support.waiting import wait_until
from tests.support.workers import start_worker

HANDLERS = '''
import asyncio, os, time
from pathlib import Path
from taskfleet_worker import Context, EntityNotFound, Overloaded, RetryLater, Tasks

tasks = Tasks()
WITNESS = Path(os.environ["WITNESS"])


def say(context, what):
    (WITNESS / f"{context.task_id}-{context.attempt}-{what}").write_text(str(os.getpid()))


@tasks.task("hold")
async def hold(payload: object, context: Context) -> None:
    """Runs until a test lets it go."""
    say(context, "started")
    while not (WITNESS / f"{context.task_id}-{context.attempt}-go").exists():
        await asyncio.sleep(0.01)
    say(context, "done")


@tasks.task("block")
def block(payload: object, context: Context) -> None:
    """The same in a thread; it does not look whether it is wanted."""
    say(context, "started")
    while not (WITNESS / f"{context.task_id}-{context.attempt}-go").exists():
        time.sleep(0.01)
    say(context, "done")


@tasks.task("attentive")
def attentive(payload: object, context: Context) -> None:
    """Runs in a thread until nobody wants it any more."""
    say(context, "started")
    while True:
        context.raise_if_cancelled()
        time.sleep(0.01)


@tasks.task("fine")
async def fine(payload: dict[str, object]) -> None: ...


@tasks.task("broken")
async def broken() -> None:
    raise ValueError("it broke")


@tasks.task("gone")
async def gone(payload: object, context: Context) -> None:
    say(context, "asked")
    raise EntityNotFound


@tasks.task("busy")
async def busy(payload: object, context: Context) -> None:
    if not (WITNESS / "calm").exists():
        (WITNESS / f"busy-{time.monotonic()}").touch()
        raise Overloaded(retry_after=0.2)


@tasks.task("later")
async def later(payload: object, context: Context) -> None:
    if not (WITNESS / "now").exists():
        (WITNESS / "now").touch()
        raise RetryLater(0.01)
'''


class Fleet:
    """Workers of one database, and what a test sees of their work."""

    def __init__(self, processes: Processes, url: str, folder: Path) -> None:
        self.url = url
        self.witness = folder / "witness"
        self.witness.mkdir()
        self._processes = processes
        self._folder = folder / "code"
        self._producer = taskfleet.Producer(url)
        self._workers: list[RunningProcess] = []

    def start(self, **environment: str) -> RunningProcess:
        """A worker process, up and running; settings without their prefix."""
        worker = self.launch(**environment)
        worker.wait_for_output('"worker.started"')
        # Failed attempts come back at once: how long a backoff is belongs to other tests.
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("UPDATE taskfleet.queues SET default_min_backoff_seconds = 0, default_max_backoff_seconds = 0")
        return worker

    def launch(self, **environment: str) -> RunningProcess:
        """A worker process, not waited for."""
        given = {name if name == "PYTHONPATH" else f"TASKFLEET_{name}": value for name, value in environment.items()}
        defaults = {"WITNESS": str(self.witness), "TASKFLEET_CONCURRENCY": "4", "TASKFLEET_DRAIN_SECONDS": "0.2"}
        worker = start_worker(self._processes, self._folder, self.url, module=HANDLERS, environment={**defaults, **given})
        self._workers.append(worker)
        return worker

    def enqueue(self, kind: str, payload: object = None, **fields: Any) -> int:
        return self._producer.enqueue(kind, payload, **fields).task_id

    def task(self, task_id: int) -> Task:
        task = self._producer.get_task(task_id)
        assert task is not None
        return task

    def wait_for_state(self, task_id: int, state: str, *, within: float = 20.0) -> Task:
        wait_until(lambda: self.task(task_id).state == state, within=within)
        return self.task(task_id)

    def wait_for(self, what: str, *, within: float = 20.0) -> int:
        """The process that left this witness."""
        file = self.witness / what
        wait_until(lambda: file.exists() and file.read_text(), within=within)
        return int(file.read_text())

    def let_go(self, task_id: int, *, attempt: int = 1) -> None:
        (self.witness / f"{task_id}-{attempt}-go").touch()

    def reconnect(self) -> None:
        """Look at the queue over new connections."""
        self._producer.close()

    def close(self) -> None:
        """Let the workers that still live go in order."""
        for worker in self._workers:
            if worker.alive:
                worker.send(signal.SIGCONT)
                worker.send(signal.SIGTERM)
        for worker in self._workers:
            worker.wait()
        self._producer.close()


@pytest.fixture
def fleet(processes: Processes, database_url: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(processes, database_url, tmp_path)
    yield fleet
    fleet.close()


def events(worker: RunningProcess, name: str) -> Sequence[Mapping[str, Any]]:
    """The lines that a worker logged for one event."""
    lines = (json.loads(line) for line in worker.output.splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == name]


@pytest.fixture
def logged() -> Callable[[RunningProcess, str], Sequence[Mapping[str, Any]]]:
    return events
