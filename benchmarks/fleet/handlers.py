"""Handlers that write down when they begin and end, and in between only wait.

`TASKFLEET_WITNESS` names the file. One line a moment, appended by one write: it is there even when the process is killed right after.
"""

import asyncio
import os
import time
from functools import cache

from taskfleet_worker import Context, Tasks

tasks = Tasks()


@cache
def _witness() -> int:
    """The file, opened at the first word: a process that is forked before opens its own."""
    return os.open(os.environ["TASKFLEET_WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def _write_down(what: str, context: Context) -> None:
    line = f"{what} {context.kind} {context.task_id} {context.attempt} {os.getpid()} {time.monotonic_ns()}\n"
    os.write(_witness(), line.encode())


async def _wait(payload: dict[str, float], context: Context) -> None:
    _write_down("begin", context)
    try:
        await asyncio.sleep(payload["seconds"])
    finally:
        _write_down("end", context)


for kind in ("free", "quota", "rate"):
    tasks.task(kind)(_wait)
