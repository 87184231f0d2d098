"""Worker processes that can be killed: forked from one that has loaded everything, so that a new one costs milliseconds."""

import multiprocessing
import os
import time
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

_HANDLERS = "benchmarks.fleet.handlers"


def work(environment: Mapping[str, str], log: Path) -> None:
    """Be `taskfleet-worker run` in this process, its output in a file."""
    os.environ.update(environment)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    from taskfleet_worker.cli import main

    os._exit(main(["run", "--tasks", _HANDLERS]))


class Fleet:
    """Workers of one queue; a killed one is replaced. All are gone after the `with` block."""

    def __init__(self, *, size: int, environment: Mapping[str, str], folder: Path) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([_HANDLERS, "taskfleet_worker.service", "taskfleet_worker.cli", "taskfleet_worker.loading"])
        self._environment = {**environment, "TASKFLEET_WITNESS": str(folder / "witness"), "TASKFLEET_LOG_LEVEL": "WARNING"}
        self._folder = folder
        self._size = size
        self._workers: list[ForkServerProcess] = []
        self.deaths: dict[int, float] = {}
        """When each killed process was gone, by the monotonic clock."""

    def __enter__(self) -> Self:
        for _ in range(self._size):
            self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for worker in self._workers:
            self._kill(worker)

    @property
    def witness(self) -> Path:
        """What the handlers wrote."""
        return self._folder / "witness"

    @property
    def log(self) -> str:
        """What the workers complained of."""
        path = self._folder / "workers.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def kill_one(self, random: Random) -> int:
        """SIGKILL to one of the workers, whatever it is doing, and a new one in its place; returns the process id."""
        worker = self._workers.pop(random.randrange(len(self._workers)))
        self._kill(worker)
        self._start()
        return worker.pid or 0

    def _start(self) -> None:
        worker = self._context.Process(target=work, args=(self._environment, self._folder / "workers.log"), daemon=True)
        worker.start()
        self._workers.append(worker)

    def _kill(self, worker: ForkServerProcess) -> None:
        worker.kill()
        worker.join()
        self.deaths[worker.pid or 0] = time.monotonic()
