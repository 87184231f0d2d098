"""The load that a queue has had, written as CSV for a simulation: when tasks arrived, how long they took, of which kind they were."""

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from taskfleet.store import ReaderStore
from taskfleet_operator.simulation.trace import HEADER
from taskfleet_ops.errors import TraceFileError
from taskfleet_ops.services.access import Address, opened
from taskfleet_ops.services.queues import require_queue

STANDARD_OUTPUT = Path("-")


async def write_trace(address: Address, queue: str, path: Path) -> int:
    """Write one line for each task that succeeded and is kept, a page in memory at a time; returns how many.

    Raises QueueNotFoundError, and TraceFileError where the file cannot be written.
    """
    written = 0
    async with opened(address) as database:
        reader = ReaderStore(database)
        await require_queue(reader, queue)
        with _file(path) as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(HEADER)
            async for page in reader.trace(queue):
                lines.writerows((task.arrived_at.isoformat(), f"{task.service_seconds:.3f}", task.kind) for task in page)
                written += len(page)
    return written


@contextmanager
def _file(path: Path) -> Iterator[TextIO]:
    if path == STANDARD_OUTPUT:
        yield sys.stdout
        return
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise TraceFileError(path=path, fault=error.strerror or str(error)) from error
