"""What a handler sees, for every program alike: how many tasks in which tenth of a second, and how long a task had been on its way.

Standard library only: it runs in the environments of other queues. The clock is the machine's, which all processes share.
"""

import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

PAYLOAD = {"source": "https://example.org/episodes/4711", "target": {"codec": "aac", "bitrate_kbps": 128}, "note": "x" * 40}
SLICES = 100
"""Slices of a second."""
PAUSE_SECONDS = float(os.environ.get("BENCH_PAUSE", "0.1"))
"""Between two lone tasks, on average."""

_counts: Counter[int] = Counter()
_latencies: list[float] = []
_begun: dict[str, float] = {}
_clock = time.time


def seen(payload: Any) -> None:
    """A handler was called."""
    now = _clock()
    _counts[int(now * SLICES)] += 1
    if "sent" in payload:
        _latencies.append(now - payload["sent"])


def seen_batch(count: int) -> None:
    """A batch handler was called with so many tasks."""
    _counts[int(_clock() * SLICES)] += count


def begun() -> None:
    """The first handler of the process was called."""
    _begun.update(at=_clock(), cpu_seconds=time.process_time())


def report() -> None:
    """Write what was seen to the file that BENCH_REPORT names."""
    found = {"slices": {str(key): value for key, value in _counts.items()}, "latencies": _latencies, "begun": _begun}
    Path(os.environ["BENCH_REPORT"]).write_text(json.dumps(found))


def tasks() -> int:
    """How many tasks to enqueue."""
    return int(os.environ["BENCH_TASKS"])


def tuned() -> bool:
    """Whether to run as the maintainers advise, not as it comes."""
    return os.environ.get("BENCH_TUNED") == "1"
