"""A machine whose clock is an hour off changes nothing: queue and worker ask the database for the time, and measure monotonically."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.tree import ROOT

WALL_CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
SPANS = ROOT / "worker/src/taskfleet_worker/telemetry/tracing.py"
"""The times of spans are the machine's, as OpenTelemetry has them; nothing is decided by them."""
SOURCES = sorted(path for member in ("queue", "worker") for path in (ROOT / member / "src").rglob("*.py") if path != SPANS)


def wall_clocks(source: str) -> Iterator[str]:
    """Where the wall clock is read."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            name = ".".join(ast.unparse(node).split(".")[-2:])
            if name in WALL_CLOCKS:
                yield f"line {node.lineno}: {name}"


@pytest.mark.requirement("B4")
def test_queue_and_worker_never_read_the_clock_of_their_machine() -> None:
    found = {str(path.relative_to(ROOT)): clocks for path in SOURCES if (clocks := list(wall_clocks(path.read_text(encoding="utf-8"))))}

    assert found == {}


def test_a_look_at_the_clock_would_be_found() -> None:
    assert list(wall_clocks("import time, datetime\nnow = datetime.datetime.now()\nlater = time.time() + 1")) == [
        "line 2: datetime.now",
        "line 3: time.time",
    ]
