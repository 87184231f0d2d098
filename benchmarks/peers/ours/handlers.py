"""No-op handlers that count: the module that `taskfleet-worker run --tasks handlers` imports."""

import atexit
import signal
from typing import Any

import tally

from taskfleet_worker import Tasks

tasks = Tasks()
atexit.register(tally.report)


@tasks.task("noop")
async def noop(payload: dict[str, Any]) -> None:
    tally.seen(payload)


@tasks.task("first")
async def first() -> None:
    """Ends its worker, as Kubernetes does."""
    tally.begun()
    signal.raise_signal(signal.SIGTERM)


@tasks.batch("batch", size=1_000)
async def batch(payloads: list[dict[str, Any]]) -> None:
    tally.seen_batch(len(payloads))


@tasks.task("plain")
def plain(_payload: dict[str, Any]) -> None:
    """Runs in a thread."""


@tasks.task("process", process=True)
def process(_payload: dict[str, Any]) -> None:
    """Runs in a child process."""
