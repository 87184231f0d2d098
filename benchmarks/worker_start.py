"""What a worker takes from its start to the first line of its first handler, in a cluster that is the delay of every new pod.

A worker is started beside one task that waits. The CPU time of the process is what counts where a pod is allowed a part of a core: with a
tenth of one, 200 ms are two seconds. Our sources are compiled beforehand, as they are in an image.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.contenders import OURS, compile_sources
from benchmarks.frame import Goal, Outcome, Row, run
from benchmarks.queue_throughput import WORKER
from benchmarks.stage import Stage, Variant, ended

UNDISTURBED = "from taskfleet_worker.heap import leave_heap_alone; leave_heap_alone(); "
IMPORTS = {"nothing": "pass", "what a worker imports": UNDISTURBED + "import taskfleet_worker.cli, taskfleet_worker.service"}
AT_LAST = "; import time; print([time.process_time(), time.time()])"
GOAL_MILLISECONDS = 250.0


def measure(*, short: bool) -> Outcome:
    """Imports and starts in turns, each in a process of its own."""
    compile_sources()
    rounds = 2 if short else 15
    found: dict[str, list[tuple[float, float]]] = {}
    with Stage(tasks=1, most_seconds=0.0) as stage, tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for name, program in IMPORTS.items():
                found.setdefault(name, []).append(imported(program))
            found.setdefault("to the first line of a handler", []).append(started(stage, Path(folder) / "report"))
    middle = {name: [statistics.median(values) for values in zip(*runs, strict=True)] for name, runs in found.items()}
    rows: list[Row] = [{"start": name, "CPU ms": busy, "ms": wall} for name, (busy, wall) in middle.items()]
    goal = Goal(name="CPU time to the first line", goal=GOAL_MILLISECONDS, value=middle["to the first line of a handler"][0], unit="ms")
    return Outcome(settings={"rounds": rounds}, results=rows, goals=[goal])


def imported(program: str) -> tuple[float, float]:
    """CPU milliseconds and milliseconds of a process until its program is done; its end does not count, as that of a worker does not."""
    began = time.time()
    told = subprocess.run([sys.executable, "-c", program + AT_LAST], capture_output=True, text=True, check=True)
    busy, at = json.loads(told.stdout)
    return busy * 1e3, (at - began) * 1e3


def started(stage: Stage, report: Path) -> tuple[float, float]:
    """CPU milliseconds and milliseconds from the start of a worker to the first line of its handler."""
    quiet = {"TASKFLEET_LOG_LEVEL": "WARNING"}
    variant = Variant(name="first", contender=OURS, command=WORKER, kind="first", environment=quiet)
    database = stage.database(variant, tasks=1)
    began = time.time()
    ended(stage.start(variant, database, report))
    begun: Mapping[str, float] = json.loads(report.read_text())["begun"]
    return begun["cpu_seconds"] * 1e3, (begun["at"] - began) * 1e3


if __name__ == "__main__":
    sys.exit(run("worker_start", measure))
