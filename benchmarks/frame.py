"""What every benchmark shares: its options, its goals, its report for people (a table) and for machines (JSON)."""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

Row = Mapping[str, str | int | float]
_STARTED = time.monotonic()


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A figure and the bound it should keep."""

    name: str
    goal: float
    value: float
    unit: str
    at_most: bool = True

    @property
    def met(self) -> bool:
        """Whether the value is on the right side of the goal."""
        return self.value <= self.goal if self.at_most else self.value >= self.goal


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a benchmark found: a row for each variant, and its goals."""

    settings: Mapping[str, object]
    results: Sequence[Row]
    goals: Sequence[Goal] = field(default=())


class Measure(Protocol):
    """A benchmark; the short form takes some seconds and proves that it runs."""

    def __call__(self, *, short: bool) -> Outcome:
        """Measure once."""


def run(name: str, measure: Measure, *, arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 1 if --assert was given and a goal is not met."""
    options = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    options.add_argument("--short", action="store_true", help="a form of some seconds, to see that it runs")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    options.add_argument("--assert", action="store_true", dest="strict", help="exit 1 when a goal is not met")
    chosen = options.parse_args(arguments)
    outcome = measure(short=chosen.short)
    print_outcome(name, outcome)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(as_json(name, outcome), indent=2) + "\n")
    return int(chosen.strict and not all(goal.met for goal in outcome.goals))


def progress(text: str) -> None:
    """Tell on stderr, with the seconds since the start, what a long benchmark is at."""
    sys.stderr.write(f"[{time.monotonic() - _STARTED:5.0f} s] {text}\n")
    sys.stderr.flush()


def as_json(name: str, outcome: Outcome) -> Mapping[str, object]:
    """The report for machines; the same shape for every benchmark."""
    return {
        "benchmark": name,
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), "taskfleet": importlib.metadata.version("taskfleet")},
        "settings": outcome.settings,
        "results": list(outcome.results),
        "goals": [asdict(goal) | {"met": goal.met} for goal in outcome.goals],
    }


def print_outcome(name: str, outcome: Outcome) -> None:
    """The report for people."""
    columns = list(outcome.results[0])
    table = [columns, *([shown(row[column]) for column in columns] for row in outcome.results)]
    widths = [max(len(line[position]) for line in table) for position in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    goals = [
        f"{'met' if goal.met else 'NOT MET'}: {goal.name} {shown(goal.value)} {goal.unit}"
        f" (goal: {'at most' if goal.at_most else 'at least'} {shown(goal.goal)})"
        for goal in outcome.goals
    ]
    sys.stdout.write("\n".join([name, *lines, *goals]) + "\n")


def shown(value: str | float) -> str:
    """A figure with as many digits as mean something."""
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
