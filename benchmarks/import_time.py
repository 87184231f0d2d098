"""How long a producer waits for `import taskfleet`, beside what it would wait for the driver alone.

The queue is imported into web applications and scripts that enqueue one task; its driver, models and settings are loaded on first use.
Each import is timed in fresh processes, alternating, and compared with a process that imports nothing.
"""

import statistics
import subprocess
import sys
import time

from benchmarks.frame import Goal, Outcome, Row, run

VARIANTS = {"nothing": "pass", "taskfleet": "import taskfleet", "psycopg": "import psycopg", "Producer": "from taskfleet import Producer"}
GOAL_MILLISECONDS = 20.0


def milliseconds(program: str) -> float:
    """From the start of a process to its end."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return (time.perf_counter() - begin) * 1000


def measure(*, short: bool) -> Outcome:
    """The median of each import less the median of an empty process."""
    rounds = 3 if short else 15
    times: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for _ in range(rounds):
        for name, program in VARIANTS.items():
            times[name].append(milliseconds(program))
    empty = statistics.median(times["nothing"])
    added = {name: statistics.median(values) - empty for name, values in times.items()}
    rows: list[Row] = [{"import": name, "added ms": added[name], "spread ms": max(times[name]) - min(times[name])} for name in VARIANTS]
    goal = Goal(name="import taskfleet adds", goal=GOAL_MILLISECONDS, value=added["taskfleet"], unit="ms")
    return Outcome(settings={"rounds": rounds}, results=rows, goals=[goal])


if __name__ == "__main__":
    sys.exit(run("import_time", measure))
