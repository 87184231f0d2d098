"""What the worker itself takes for a task, by type of handler, and how much memory it holds while idle.

One worker drains a full queue of no-op tasks; from its time and CPU time those of a worker that finds an empty queue are taken off. The
bare loop calls the same handler with the same payload decoded from JSON, and nothing else.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from benchmarks.contenders import OURS
from benchmarks.frame import Goal, Outcome, Row, run
from benchmarks.peers import tally
from benchmarks.queue_throughput import WORKER
from benchmarks.stage import START_SECONDS, Stage, Variant, ended

IDLE_MEBIBYTES = 60.0
RUNS = 3
SLOTS = 100
TASKS = {"noop": 20_000, "plain": 10_000, "process": 1_000, "batch": 20_000}
NAMES = {"noop": "async", "plain": "sync, in a thread", "process": "sync, in a child process", "batch": "batch, async"}


def measure(*, short: bool) -> Outcome:
    """Every type of handler in turns, then an idle worker."""
    found: dict[str, list[tuple[float, float]]] = {}
    with Stage(tasks=0, most_seconds=0.0) as stage:
        for _ in range(1 if short else RUNS):
            for kind in ("noop",) if short else TASKS:
                found.setdefault(kind, []).append(_taken(stage, kind, tasks=200 if short else TASKS[kind]))
        mebibytes = _idle_mebibytes(stage, seconds=0.5 if short else START_SECONDS)
    wall, busy = bare_loop()
    rows: list[Row] = [{"handler": "bare loop", "us a task": wall, "CPU us a task": busy}]
    for kind, runs in found.items():
        wall, busy = (round(statistics.median(values), 1) for values in zip(*runs, strict=True))
        rows.append({"handler": NAMES[kind], "us a task": wall, "CPU us a task": busy})
    return Outcome(
        settings={"slots": SLOTS, "tasks": TASKS, "runs": RUNS, "log level": "WARNING"},
        results=rows,
        goals=[Goal(name="memory of an idle worker", goal=IDLE_MEBIBYTES, value=mebibytes, unit="MiB")],
    )


def bare_loop() -> tuple[float, float]:
    """Microseconds and CPU microseconds for a payload decoded and handed to an async function."""
    text, count = json.dumps(tally.PAYLOAD), 20_000

    async def handle(payload: Mapping[str, object]) -> None:
        assert payload

    async def loop() -> tuple[float, float]:
        began, busy = time.perf_counter(), time.process_time()
        for _ in range(count):
            await handle(json.loads(text))
        return round((time.perf_counter() - began) * 1e6 / count, 2), round((time.process_time() - busy) * 1e6 / count, 2)

    return asyncio.run(loop())


def _taken(stage: Stage, kind: str, *, tasks: int) -> tuple[float, float]:
    """Microseconds and CPU microseconds for each task."""
    wall, busy = _run_to_its_end(stage, kind, tasks=tasks)
    empty_wall, empty_busy = _run_to_its_end(stage, kind, tasks=0)
    return (wall - empty_wall) * 1e6 / tasks, (busy - empty_busy) * 1e6 / tasks


def _run_to_its_end(stage: Stage, kind: str, *, tasks: int) -> tuple[float, float]:
    variant = _variant(kind, "--drain")
    database = stage.database(variant, tasks=tasks)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        busy = ended(stage.start(variant, database, Path(folder) / "report"))
        return time.perf_counter() - began, busy


def _idle_mebibytes(stage: Stage, *, seconds: float) -> float:
    variant = _variant("noop")
    with tempfile.TemporaryDirectory() as folder:
        worker: subprocess.Popen[bytes] = stage.start(variant, stage.database(variant, tasks=0), Path(folder) / "report")
        time.sleep(seconds)
        resident = psutil.Process(worker.pid).memory_info().rss
        worker.terminate()
        ended(worker)
    return float(resident) / 2**20


def _variant(kind: str, *options: str) -> Variant:
    environment = {"TASKFLEET_CONCURRENCY": str(SLOTS), "TASKFLEET_LOG_LEVEL": "WARNING"}
    return Variant(name=kind, contender=OURS, command=[*WORKER, *options], kind=kind, environment=environment)


if __name__ == "__main__":
    sys.exit(run("worker_overhead", measure))
