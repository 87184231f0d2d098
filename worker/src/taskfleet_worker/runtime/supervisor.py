"""Keeps background loops alive: a failure is caught, logged, counted and followed by a restart; silence fails /livez."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from taskfleet.backoff import jittered
from taskfleet.errors import TaskfleetError

_log = logging.getLogger("taskfleet.worker")

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0
"""A loop that failed starts again after 0.1 s, doubling to 5 s: short against every lease, long enough to spare a database."""
SOUND_SECONDS = 60.0
"""A loop that ran for so long before it failed starts its backoff anew."""

Beat = Callable[[], None]
"""Called by a loop each time round: it lives."""
Loop = Callable[[Beat], Awaitable[None]]


@dataclass(kw_only=True)
class Supervised:
    """One loop and how it fares."""

    name: str
    run: Loop
    last_beat: float
    task: asyncio.Task[None] | None = None


class Supervisor:
    """Runs loops until `stop`; each for itself, none can take another down."""

    def __init__(self, *, stale_seconds: float, failed: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._stale_seconds = stale_seconds
        self._failed = failed
        self._clock = clock
        self._random = Random()
        self._loops: list[Supervised] = []

    def start(self, name: str, run: Loop) -> None:
        """Run a loop from now on; one that returns is done and watched no more."""
        loop = Supervised(name=name, run=run, last_beat=self._clock())
        loop.task = asyncio.get_running_loop().create_task(self._keep_alive(loop), name=f"taskfleet-{name}")
        self._loops.append(loop)

    def stale(self) -> Sequence[str]:
        """The loops that are dead or showed no sign of life for too long."""
        now = self._clock()
        return [loop.name for loop in self._loops if _dead(loop) or (not _done(loop) and now - loop.last_beat > self._stale_seconds)]

    async def stop(self) -> None:
        """Cancel all loops and wait for them."""
        tasks = [loop.task for loop in self._loops if loop.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_alive(self, loop: Supervised) -> None:
        pause = FIRST_SECONDS
        while True:
            started = self._clock()
            try:
                return await loop.run(lambda: self._beat(loop))
            except Exception as error:  # noqa: BLE001 - a loop's edge: log, count, back off
                self._tell(loop, error)
            self._beat(loop)
            pause = FIRST_SECONDS if self._clock() - started > SOUND_SECONDS else pause
            await asyncio.sleep(jittered(pause, random=self._random))
            pause = min(pause * 2, LONGEST_SECONDS)

    def _beat(self, loop: Supervised) -> None:
        loop.last_beat = self._clock()

    def _tell(self, loop: Supervised, error: Exception) -> None:
        self._failed(loop.name)
        # An error that the queue raises on purpose explains itself; anything else needs its stack.
        stack = None if isinstance(error, TaskfleetError) else error
        _log.error("loop.failed", extra={"loop": loop.name, "error": f"{type(error).__name__}: {error}"}, exc_info=stack)


def _done(loop: Supervised) -> bool:
    return loop.task is not None and loop.task.done()


def _dead(loop: Supervised) -> bool:
    task = loop.task
    return task is not None and task.done() and (task.cancelled() or task.exception() is not None)
