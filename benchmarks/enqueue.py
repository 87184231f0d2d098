"""How fast producers enqueue, beside the queues that people use today: one task after the other, and in bulk.

One client and one connection each, the same payload of about 150 bytes, each queue in its own documented way, in turns on one server with
fsync on. A single enqueue is one commit, so it measures the disk as much as the queue.
"""

import sys
from collections.abc import Mapping, Sequence
from itertools import product

from benchmarks.contenders import OURS, PEERS_OF_OURS, UnavailableError
from benchmarks.frame import Goal, Outcome, Row, run
from benchmarks.stage import SERVER, Drain, Stage, Variant, middle

BULK_TASKS = 100_000
SINGLE_TASKS = 1_000
RUNS = 3
BULK_GOAL = 100_000

Found = dict[tuple[str, str], list[Drain]]


def measure(*, short: bool) -> Outcome:
    """Each queue, bulk and single, in turns."""
    counts = {"bulk": 2_000, "single": 20} if short else {"bulk": BULK_TASKS, "single": SINGLE_TASKS}
    contenders = (OURS,) if short else (OURS, *PEERS_OF_OURS)
    found: Found = {}
    missing: dict[str, str] = {}
    with Stage(tasks=0, most_seconds=0.0) as stage:
        for _, contender, command in product(range(1 if short else RUNS), contenders, counts):
            variant = Variant(name=contender.name, contender=contender)
            try:
                found.setdefault((contender.name, command), []).append(stage.enqueue(variant, command, tasks=counts[command]))
            except UnavailableError as error:
                missing[contender.name] = str(error)
    found = {key: runs for key, runs in found.items() if runs}
    return Outcome(
        settings={"tasks": counts, "runs": RUNS, "server": {**SERVER, "fsync": "on"}, "unavailable": missing},
        results=[_row(name, command, runs) for (name, command), runs in found.items()],
        goals=goals(found),
    )


def goals(found: Mapping[tuple[str, str], Sequence[Drain]]) -> Sequence[Goal]:
    """Ours against the fastest and the leanest peer."""
    rates = {key: middle([one.per_second for one in runs]) for key, runs in found.items()}
    wal_bytes = {key: middle([one.wal_bytes for one in runs]) for key, runs in found.items()}
    made = [Goal(name="bulk enqueue", goal=BULK_GOAL, value=rates[OURS.name, "bulk"], unit="tasks/s", at_most=False)]
    for command in ("bulk", "single"):
        peers = [key for key in rates if key[0] != OURS.name and key[1] == command]
        if peers:
            mine, fastest, leanest = (OURS.name, command), max(rates[key] for key in peers), min(wal_bytes[key] for key in peers)
            made.append(Goal(name=f"{command}, of the fastest peer", goal=1.0, value=rates[mine] / fastest, unit="ratio", at_most=False))
            made.append(Goal(name=f"{command}, WAL (leanest peer)", goal=leanest, value=wal_bytes[mine], unit="bytes a task"))
    return made


def _row(name: str, command: str, runs: Sequence[Drain]) -> Row:
    rates = [one.per_second for one in runs]
    return {
        "queue": "taskfleet" if name == OURS.name else name,
        "enqueue": command,
        "tasks/s": round(middle(rates)),
        "least": round(min(rates)),
        "most": round(max(rates)),
        "server us": round(middle([one.server_microseconds for one in runs]), 1),
        "commits": round(middle([one.commits for one in runs]), 3),
        "WAL bytes": round(middle([one.wal_bytes for one in runs])),
    }


if __name__ == "__main__":
    sys.exit(run("enqueue", measure))
