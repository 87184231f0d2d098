"""How long a lone task is on its way to an idle fleet, beside the queues that people use today.

From just before the producer's call to the first line of the handler, so the commit of the enqueue counts. Tasks come one at a time, with
pauses of about a tenth of a second, or of three seconds where only polling finds them.
"""

import statistics
import sys
from collections.abc import Mapping, Sequence

from benchmarks.contenders import OURS, PEERS_OF_OURS, UnavailableError
from benchmarks.frame import Goal, Outcome, Row, run
from benchmarks.queue_throughput import WORKER
from benchmarks.stage import SERVER, START_SECONDS, Stage, Variant

TASKS = 100
POLLED_TASKS = 12
WARM_UP = 0.1
"""Share of the tasks, the first ones, that only warms up."""
P50_SECONDS, P99_SECONDS, POLL_SECONDS = 0.010, 0.050, 1.5

WOKEN = "taskfleet, woken"
POLLING = "taskfleet, polling only"
VARIANTS = (
    Variant(name=WOKEN, contender=OURS, command=WORKER, processes=2, settings="2 workers as they come"),
    Variant(
        name=POLLING,
        contender=OURS,
        command=WORKER,
        processes=2,
        environment={"TASKFLEET_POOLED": "true", "BENCH_PAUSE": "3"},
        settings="2 workers that cannot listen, as behind PgBouncer; TASKFLEET_POLL_SECONDS 1.5",
    ),
    *(Variant(name=one.name, contender=one, processes=2, settings="2 workers as they come") for one in PEERS_OF_OURS),
)


def measure(*, short: bool) -> Outcome:
    """One variant after the other."""
    found: dict[str, Sequence[float]] = {}
    missing: dict[str, str] = {}
    with Stage(tasks=0, most_seconds=0.0) as stage:
        for variant in VARIANTS[:1] if short else VARIANTS:
            tasks = 5 if short else POLLED_TASKS if variant.name == POLLING else TASKS
            try:
                seen = stage.pick_up(variant, tasks=tasks, start_seconds=0.0 if short else START_SECONDS)
                found[variant.name] = seen[int(len(seen) * WARM_UP) :]
            except UnavailableError as error:
                missing[variant.name] = str(error)
    return Outcome(
        settings={
            "tasks": TASKS,
            "server": {**SERVER, "fsync": "on"},
            "variants": {variant.name: variant.settings for variant in VARIANTS},
            "unavailable": missing,
        },
        results=[_row(name, seen) for name, seen in found.items()],
        goals=goals(found),
    )


def goals(found: Mapping[str, Sequence[float]]) -> Sequence[Goal]:
    """Ours, woken and polling."""
    made = []
    if woken := found.get(WOKEN):
        made.append(Goal(name="woken, p50", goal=P50_SECONDS * 1000, value=percentile(woken, 50) * 1000, unit="ms"))
        made.append(Goal(name="woken, p99", goal=P99_SECONDS * 1000, value=percentile(woken, 99) * 1000, unit="ms"))
    if polling := found.get(POLLING):
        made.append(Goal(name="polling only, p99", goal=POLL_SECONDS * 1000, value=percentile(polling, 99) * 1000, unit="ms"))
    return made


def percentile(values: Sequence[float], percent: int) -> float:
    """A percentile, between its two neighbours."""
    return values[0] if len(values) == 1 else statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _row(name: str, seen: Sequence[float]) -> Row:
    figures = {f"p{percent} ms": round(percentile(seen, percent) * 1000, 1) for percent in (50, 90, 99)}
    return {"queue": name, "tasks": len(seen), **figures, "most ms": round(max(seen) * 1000, 1)}


if __name__ == "__main__":
    sys.exit(run("pickup_latency", measure))
