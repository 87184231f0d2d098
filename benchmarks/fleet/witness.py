"""What the handlers saw: runs from begin to end, how many at once, how many starts in an interval. Pure but for the reading."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Run:
    """One call of a handler; moments in seconds of the machine's monotonic clock, which all its processes share."""

    kind: str
    task_id: int
    attempt: int
    process_id: int
    began_at: float
    ended_at: float
    """The end that the handler wrote, or the death of its process."""


def read_runs(path: Path, *, deaths: Mapping[int, float], until: float) -> Sequence[Run]:
    """The runs that a witness file tells of; `deaths` says when processes died, what still runs counts until `until`."""
    begun: dict[tuple[str, int, int, int], float] = {}
    runs: list[Run] = []
    for line in path.read_text().splitlines():
        what, kind, task_id, attempt, process_id, moment = line.split()
        key, at = (kind, int(task_id), int(attempt), int(process_id)), int(moment) / 1e9
        if what == "begin":
            begun[key] = at
        else:
            runs.append(_run(key, begun.pop(key), at))
    runs += [_run(key, at, deaths.get(key[3], until)) for key, at in begun.items()]
    return sorted(runs, key=lambda run: run.began_at)


def _run(key: tuple[str, int, int, int], began_at: float, ended_at: float) -> Run:
    kind, task_id, attempt, process_id = key
    return Run(kind=kind, task_id=task_id, attempt=attempt, process_id=process_id, began_at=began_at, ended_at=ended_at)


def most_at_once(runs: Iterable[Run]) -> int:
    """The most runs at any moment. Of an end and a begin at the same moment the end comes first."""
    moments = sorted((moment, step) for run in runs for moment, step in ((run.began_at, 1), (run.ended_at, -1)))
    most = now = 0
    for _, step in moments:
        now += step
        most = max(most, now)
    return most


def most_starts_within(runs: Iterable[Run], *, seconds: float) -> int:
    """The most begins in any half-open interval of so many seconds."""
    starts = sorted(run.began_at for run in runs)
    most = first = 0
    for last, moment in enumerate(starts):
        while starts[first] <= moment - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def busy_share(runs: Iterable[Run], *, slots: int, begin: float, end: float) -> float:
    """How much of `slots` was in use between two moments, 0..1."""
    busy = sum(max(min(run.ended_at, end) - max(run.began_at, begin), 0.0) for run in runs)
    return busy / (slots * (end - begin))


def doubled(runs: Iterable[Run]) -> Sequence[tuple[int, int]]:
    """Attempts that began more than once: (task, attempt). Recovery counts one up, so the fence let two run where there are any."""
    counts = Counter((run.task_id, run.attempt) for run in runs)
    return sorted(attempt for attempt, count in counts.items() if count > 1)
