"""A recorded history as a workload: one line a task, when it arrived, how long it took, and of which kind it was.

```csv
arrival,service,kind
2026-03-01T09:00:00.120+00:00,4.2,resize
2026-03-01T09:00:00.480+00:00,0.9,send
```

`arrival` is a moment in ISO 8601 or a number of seconds since any start; `kind` may be left out. Lines come in any order.
"""

import csv
from collections.abc import Iterable
from datetime import UTC, datetime

from taskfleet_operator.simulation.tasks import SimulatedTask

HEADER = ("arrival", "service", "kind")


class TraceError(ValueError):
    """A line of a trace that says no task."""


def read_trace(lines: Iterable[str]) -> tuple[SimulatedTask, ...]:
    """The tasks in order of arrival, the first at 0. Raises TraceError, which names the line and what is wrong with it."""
    rows = csv.reader(lines)
    header = [name.strip().lower() for name in next(rows, [])]
    if header[:2] != ["arrival", "service"] or header[2:] not in ([], ["kind"]):
        raise TraceError(f"line 1: the header must be arrival,service or arrival,service,kind, not {','.join(header) or 'nothing'}")
    tasks = [_task(row, number=rows.line_num, columns=len(header)) for row in rows if row]
    if not tasks:
        raise TraceError("there is no task in it: one line a task must follow the header")
    tasks.sort(key=lambda task: task.arrival)
    first = tasks[0].arrival
    return tuple(SimulatedTask(arrival=task.arrival - first, service=task.service, kind=task.kind) for task in tasks)


def _task(row: list[str], *, number: int, columns: int) -> SimulatedTask:
    if len(row) != columns:
        raise TraceError(f"line {number}: {len(row)} values where the header names {columns}")
    service = _number(row[1])
    if service is None or not 0 <= service < float("inf"):
        raise TraceError(f"line {number}: service must be seconds, 0 or more, not {row[1]!r}")
    kind = row[2].strip() if columns > 2 else ""
    return SimulatedTask(arrival=_arrival(row[0].strip(), number=number), service=service, kind=kind or "task")


def _arrival(text: str, *, number: int) -> float:
    seconds = _number(text)
    if seconds is not None and abs(seconds) < float("inf"):
        return seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise TraceError(f"line {number}: arrival must be seconds or a moment such as 2026-03-01T09:00:00+00:00, not {text!r}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
