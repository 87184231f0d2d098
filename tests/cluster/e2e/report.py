"""What took how long, told while it happens and as a table at the end."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """One part of the test."""

    name: str
    seconds: float
    note: str = ""


class Report:
    """The stages so far."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self.stages: list[Stage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[list[str]]:
        """Time a part; what is put into the list becomes its note."""
        notes: list[str] = []
        self._say(f"{name} …")
        begun = time.monotonic()
        yield notes
        self.add(name, time.monotonic() - begun, ", ".join(notes))

    def add(self, name: str, seconds: float, note: str = "") -> None:
        """Take in a part that was timed elsewhere."""
        self.stages.append(Stage(name, round(seconds, 1), note))
        self._say(f"{name}: {seconds:.1f} s{f' ({note})' if note else ''}")

    def show(self) -> None:
        """Print the table."""
        width = max(len(stage.name) for stage in self.stages)
        lines = [f"  {stage.name:<{width}}  {stage.seconds:>6.1f} s  {stage.note}".rstrip() for stage in self.stages]
        sys.stdout.write("\n".join(["", "End to end on a real cluster:", *lines, f"  {'in all':<{width}}  {self._seconds():>6.1f} s", ""]))
        sys.stdout.flush()

    def write(self, path: Path) -> None:
        """Write the same as JSON."""
        path.write_text(
            json.dumps({"stages": [asdict(stage) for stage in self.stages], "seconds": round(self._seconds(), 1)}, indent=2) + "\n"
        )

    def _seconds(self) -> float:
        return time.monotonic() - self._begun

    def _say(self, text: str) -> None:
        sys.stderr.write(f"[e2e {self._seconds():6.1f} s] {text}\n")
        sys.stderr.flush()
