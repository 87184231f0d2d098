"""One piece of work at a time, and nobody who waits for it forever: what keeps a slow database from delaying the others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Answer = TypeVar("Answer")
_log = logging.getLogger(__name__)


class StillBusyError(Exception):
    """The work did not end in time. It goes on; the next one waits for it."""


class Lane(Generic[Answer]):
    """Runs work one after the other. A caller waits for a limited time, and the work itself is never cut off halfway."""

    def __init__(self) -> None:
        self._running: asyncio.Task[Answer] | None = None

    @property
    def busy(self) -> bool:
        """True while work goes on."""
        return self._running is not None and not self._running.done()

    async def run(self, work: Callable[[], Awaitable[Answer]], *, within: float) -> Answer:
        """Do the work and give its answer; raises what it raises, or StillBusyError after `within` seconds."""
        deadline = asyncio.get_running_loop().time() + within
        if self._running is not None:
            await self._settle(self._running, until=deadline)
        self._running = asyncio.ensure_future(_awaited(work))
        self._running.add_done_callback(_consume)
        await self._settle(self._running, until=deadline)
        return self._running.result()

    async def close(self) -> None:
        """Cut off what is running and wait for its end."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    async def _settle(self, task: "asyncio.Task[Answer]", *, until: float) -> None:
        left = max(0.0, until - asyncio.get_running_loop().time())
        done, _ = await asyncio.wait({task}, timeout=left)
        if not done:
            raise StillBusyError


async def _awaited(work: Callable[[], Awaitable[Answer]]) -> Answer:
    return await work()


def _consume(task: "asyncio.Task[Answer]") -> None:
    """Look at the outcome of work that nobody may be waiting for any more."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.debug("lane.failed", extra={"error": str(error)})
