"""A stage for the local operator: TaskQueue files, handlers, the running command, and its log as events."""

import json
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import yaml

from tests.support.processes import COMMANDS, Processes, RunningProcess
from tests.support.waiting import wait_until

HANDLERS = '''
import asyncio, os, pathlib
from taskfleet_worker import Tasks

tasks = Tasks()

@tasks.task("nap")
async def nap(payload, context):
    await asyncio.sleep(payload["seconds"])
    return os.getpid()

@tasks.task("until")
async def until(payload, context):
    """Runs until the file is there."""
    while not pathlib.Path(payload["file"]).exists():
        await asyncio.sleep(0.02)
'''
TICK = 0.25


def task_queue(name: str, *, secret: str = "db", environment: Mapping[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """A TaskQueue whose workers run the stage's handlers; `spec` goes on top."""
    variables = [{"name": key, "value": value} for key, value in (environment or {}).items()]
    container = {"name": "worker", "args": ["--tasks", "stage_handlers"], "env": variables}
    return {
        "apiVersion": "taskfleet.dev/v1alpha1",
        "kind": "TaskQueue",
        "metadata": {"name": name},
        "spec": {
            "database": {"secretRef": {"name": secret}},
            "goal": {"maxWaitSeconds": 60},
            "scaling": {"maxReplicas": 3},
            "worker": {"concurrency": 2, "drainSeconds": 20, "template": {"spec": {"containers": [container]}}},
            **spec,
        },
    }


def secret(url: str, *, name: str = "db") -> dict[str, Any]:
    """A Secret with a database URL."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"uri": url}}


class Stage:
    """Where a local operator runs."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self.folder = folder
        self._processes = processes
        self._operators: list[Operator] = []
        (folder / "stage_handlers.py").write_text(HANDLERS)

    def write(self, file: str, *documents: Mapping[str, Any]) -> Path:
        """Write a file of YAML documents, whole at once as an editor does."""
        path, draft = self.folder / file, self.folder / f"{file}.draft"
        draft.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        draft.rename(path)
        return path

    def operator(self, *files: Path, arguments: Sequence[str] = (), **environment: str) -> "Operator":
        """Start the command."""
        command: list[str | Path] = [COMMANDS / "taskfleet-operator", "run", "--local", *files, "--tick", str(TICK), *arguments]
        settings = {
            "PYTHONPATH": str(self.folder),
            "TASKFLEET_LOG_LEVEL": "WARNING",
            "TASKFLEET_OPERATOR_LOCAL_RESTART_SECONDS": "0.2",
            **environment,
        }
        self._operators.append(Operator(self._processes.start(command, environment=settings)))
        return self._operators[-1]

    def close(self) -> None:
        """End what still runs, in good order and in haste."""
        for operator in self._operators:
            operator.hasten()


class Operator:
    """A running operator, its log and its workers."""

    def __init__(self, process: RunningProcess) -> None:
        self.process = process

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its log lines so far (and its workers', which it passes on)."""
        lines = []
        for line in self.process.output.splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
        return [line for line in lines if isinstance(line, dict)]

    def said(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The lines of an event with these fields."""
        return [line for line in self.log if line.get("event") == event and all(line.get(name) == value for name, value in fields.items())]

    def wait_for(self, event: str, *, within: float = 20.0, **fields: object) -> dict[str, Any]:
        """The first line of an event with these fields; fails with the whole output when it does not come."""

        def there() -> list[dict[str, Any]]:
            assert self.process.alive or self.said(event, **fields), self.process.output
            return self.said(event, **fields)

        try:
            return wait_until(there, within=within)[0]
        except AssertionError as error:
            raise AssertionError(f"no {event} {fields} within {within:g} s:\n{self.process.output}") from error

    def wait_until(self, condition: Callable[[], object], *, within: float = 20.0) -> object:
        """Wait, and show the whole output when it does not come."""
        try:
            return wait_until(condition, within=within)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.process.output}") from error

    def hasten(self) -> None:
        """SIGTERM, and again: workers give their tasks back and end."""
        if not self.process.alive:
            return
        self.process.send(signal.SIGTERM)
        with suppress(AssertionError):  # Whatever is left is killed with the test.
            wait_until(lambda: self.said("operator.stopping") or not self.process.alive)
            self.process.send(signal.SIGTERM)
            self.process.wait(within=20)

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        try:
            return [child for child in psutil.Process(self.process.pid).children() if child.status() != psutil.STATUS_ZOMBIE]
        except psutil.NoSuchProcess:
            return []


def counts(connection: "psycopg.Connection[Any]") -> dict[str, int]:
    """Tasks by where they are."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM taskfleet.ready), (SELECT count(*) FROM taskfleet.leases),"
        " (SELECT count(*) FROM taskfleet.succeeded_tasks), (SELECT count(*) FROM taskfleet.attempts)"
    ).fetchone()
    assert row is not None
    return dict(zip(("ready", "running", "succeeded", "unsuccessful_attempts"), row, strict=True))
