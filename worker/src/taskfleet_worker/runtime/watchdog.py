"""Notices handlers that block the event loop: nothing else of the worker runs meanwhile, neither other handlers nor the heartbeat.

A thread asks the loop for a sign of life and, where none comes in time, says who is in its way and where: the stack is taken while the
handler blocks, not afterwards.
"""

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

from taskfleet.models import ClaimedTask
from taskfleet_worker.context import ids_of

_log = logging.getLogger("taskfleet.worker")

FRAMES = 15
"""The innermost frames of a stack that are told."""

WhoRuns = Callable[["asyncio.Task[object] | None"], ClaimedTask | None]


class Watchdog:
    """Watches one event loop until it is stopped. Each time that it is blocked is told once at its beginning and once at its end."""

    def __init__(self, *, seconds: float, who: WhoRuns, blocked: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._who = who
        self._blocked = blocked
        self._over = threading.Event()

    def start(self) -> None:
        """Watch the running loop from now on; seconds of 0 watch nothing."""
        if self._seconds > 0:
            arguments = (asyncio.get_running_loop(), threading.get_ident())
            threading.Thread(target=self._watch, args=arguments, name="taskfleet-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._over.set()

    def _watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        while not self._over.wait(self._seconds):
            sign, asked = threading.Event(), time.monotonic()
            try:
                loop.call_soon_threadsafe(sign.set)
            except RuntimeError:
                return  # The loop is closed.
            if sign.wait(self._seconds):
                continue
            task = self._tell(loop, thread, asked)
            while not sign.wait(self._seconds) and not self._over.is_set():
                pass
            _log.warning("loop.unblocked", extra={**_ids(task), "seconds": round(time.monotonic() - asked, 1)})

    def _tell(self, loop: asyncio.AbstractEventLoop, thread: int, asked: float) -> ClaimedTask | None:
        task = self._who(asyncio.current_task(loop))
        stack = stack_of(sys._current_frames().get(thread))  # noqa: SLF001 - the one way to another thread's stack
        self._blocked(task.kind if task else "unknown")
        seconds = round(time.monotonic() - asked, 1)
        _log.warning("loop.blocked", extra={**_ids(task), "seconds": seconds, "stack": stack})
        return task


def stack_of(frame: FrameType | None) -> str:
    """The innermost frames of a thread, the current one last; empty for a thread that is gone."""
    return "" if frame is None else "".join(traceback.format_stack(frame)[-FRAMES:])


def _ids(task: ClaimedTask | None) -> dict[str, object]:
    return {} if task is None else ids_of(task)
