"""How fast whole worker processes drain a full queue: ours, the queues that people use today, and the least that any must do.

Every variant starts from a database with 200,000 no-op tasks of about 150 bytes, on one server with fsync on, in turns. The rate is that of
the handlers' calls, without the first tenth, in which processes start. A variant that is slow is stopped after some seconds.

Options beside those of every benchmark: `--runs N`, `--only NAME,NAME`, and `--keep FILE`: runs found in FILE count too, and those made
here are added to it, so that a long comparison can be made in pieces.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.contenders import CEILING, OURS, PEERS_OF_OURS, UnavailableError
from benchmarks.frame import Goal, Outcome, Row, run
from benchmarks.stage import SERVER, Stage, Variant, middle

TASKS = 200_000
SHORT_TASKS = 2_000
MOST_SECONDS = 12.0
SLOTS = 500
PROCESSES = 2

WORKER = [str(Path(sys.executable).with_name("taskfleet-worker")), "run", "--tasks", "handlers"]
QUIET = {"TASKFLEET_CONCURRENCY": str(SLOTS), "TASKFLEET_LOG_LEVEL": "WARNING"}


def ours(
    name: str, settings: str, *, processes: int = PROCESSES, kind: str = "noop", of_interest: bool = True, **environment: str
) -> Variant:
    """A fleet of ours."""
    return Variant(
        name=name,
        contender=OURS,
        command=WORKER,
        processes=processes,
        kind=kind,
        environment={**QUIET, **environment},
        settings=settings,
        of_interest=of_interest,
    )


def peer(name: str, settings: str, *, processes: int = 1, tuned: bool = True) -> Variant:
    """A peer, named as in its registry."""
    contender = next(one for one in PEERS_OF_OURS if name.startswith(one.name.replace("_", "-")))
    return Variant(name=name, contender=contender, tuned=tuned, processes=processes, settings=settings)


VARIANTS = (
    Variant(
        name="ceiling",
        contender=CEILING,
        processes=PROCESSES,
        environment={"BENCH_BATCH": str(SLOTS), "BENCH_CONNECTIONS": "2"},
        settings=f"raw SQL, 4 connections, batches of {SLOTS}",
    ),
    ours("taskfleet", f"{PROCESSES} workers, {SLOTS} slots each, async handler, log level WARNING"),
    ours("taskfleet batch", f"the same with a batch handler of up to {SLOTS}", kind="batch", of_interest=False),
    ours("taskfleet INFO", "as the first, log level INFO", of_interest=False, TASKFLEET_LOG_LEVEL="INFO"),
    Variant(
        name="taskfleet defaults", contender=OURS, command=WORKER, settings="1 worker, no settings: 1 slot, level INFO", of_interest=False
    ),
    peer("graphile-worker", "defaults: 1 job at once", tuned=False),
    peer("graphile-worker tuned", "worker.graphile.org/docs/performance: 24 jobs, local queue 500, completions batched"),
    peer("graphile-worker tuned x2", "the same, two processes", processes=2),
    peer("river", "its README: MaxWorkers 100", tuned=False),
    peer("river tuned", "riverqueue.com/docs/benchmarks: 2,000 workers, fetch every 2 ms"),
    peer("pgqueuer", "defaults: batches of 10", tuned=False),
    peer("pgqueuer tuned", "its guide Performance Tuning: batches of 100, autovac; two processes", processes=2),
    peer("procrastinate", "defaults: 1 job at once", tuned=False),
    peer("procrastinate tuned", "its how-to Concurrency: 30 jobs at once, finished jobs deleted; two processes", processes=2),
)
SHORT = ("ceiling", "taskfleet")
"""What needs no set-up."""
FIGURES = ("per_second", "commits", "wal_bytes", "client_microseconds", "server_microseconds")

Runs = dict[str, list[Mapping[str, float]]]


def measure_with(options: argparse.Namespace, *, short: bool) -> Outcome:
    """The chosen variants in turns, with what was kept from before."""
    names = options.only.split(",") if options.only else (SHORT if short else [variant.name for variant in VARIANTS])
    runs: Runs = json.loads(options.keep.read_text()) if options.keep and options.keep.exists() else {}
    missing: dict[str, str] = {}
    with Stage(tasks=SHORT_TASKS if short else TASKS, most_seconds=MOST_SECONDS) as stage:
        for variant in [variant for variant in VARIANTS if variant.name in names] * (1 if short else options.runs):
            if variant.name in missing:
                continue
            try:
                runs.setdefault(variant.name, []).append(asdict(stage.drain(variant)))
            except UnavailableError as error:
                missing[variant.name] = str(error)
                sys.stderr.write(f"{variant.name} could not be set up: {error}\n")
            if options.keep:
                options.keep.write_text(json.dumps({name: found for name, found in runs.items() if found}))
    return outcome({name: found for name, found in runs.items() if found}, missing)


def outcome(runs: Runs, missing: Mapping[str, str]) -> Outcome:
    """The table and the goals."""
    shown = [variant for variant in VARIANTS if variant.name in runs]
    middles = {variant.name: {key: middle([found[key] for found in runs[variant.name]]) for key in FIGURES} for variant in shown}
    return Outcome(
        settings={
            "tasks": TASKS,
            "server": {**SERVER, "fsync": "on"},
            "variants": {variant.name: variant.settings for variant in shown},
            "versions": {name: version for one in PEERS_OF_OURS for name, version in one.versions.items()},
            "unavailable": dict(missing),
        },
        results=[_row(variant.name, runs[variant.name], middles) for variant in shown],
        goals=goals(middles),
    )


def goals(middles: Mapping[str, Mapping[str, float]]) -> Sequence[Goal]:
    """Ours against the fastest and the leanest peer, and against the ceiling; what was not measured has no goal."""
    found: list[Goal] = []
    names = {variant.name for variant in VARIANTS if variant.contender in PEERS_OF_OURS}
    peers = [figures for name, figures in middles.items() if name in names]
    mine = middles.get("taskfleet")
    if mine is None:
        return found
    if "ceiling" in middles:
        share = mine["per_second"] / middles["ceiling"]["per_second"]
        found.append(Goal(name="drain, of the ceiling", goal=0.6, value=share, unit="ratio", at_most=False))
    if peers:
        fastest = max(figures["per_second"] for figures in peers)
        ratio = mine["per_second"] / fastest
        found.append(Goal(name="drain, of the fastest peer", goal=1.5, value=ratio, unit="ratio", at_most=False))
        for key, unit in (("commits", "a task"), ("wal_bytes", "bytes a task")):
            least = min(figures[key] for figures in peers)
            found.append(Goal(name=f"{key} (leanest peer)", goal=least, value=mine[key], unit=unit))
    return found


def _row(name: str, found: Sequence[Mapping[str, float]], middles: Mapping[str, Mapping[str, float]]) -> Row:
    rates, figures = [one["per_second"] for one in found], middles[name]
    return {
        "variant": name,
        "tasks/s": round(figures["per_second"]),
        "least": round(min(rates)),
        "most": round(max(rates)),
        "runs": len(found),
        "client us": round(figures["client_microseconds"], 1),
        "server us": round(figures["server_microseconds"], 1),
        "commits": round(figures["commits"], 4),
        "WAL bytes": round(figures["wal_bytes"]),
    }


def main() -> int:
    """Read the options of this benchmark, then those of every one."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--only", default="")
    options.add_argument("--keep", type=Path)
    chosen, others = options.parse_known_args()
    return run("queue_throughput", lambda *, short: measure_with(chosen, short=short), arguments=others)


if __name__ == "__main__":
    sys.exit(main())
