"""The hard time-outs of running jobs: one timer for all of them, since nearly every job ends long before its own."""

import asyncio
from collections.abc import Callable, Collection

from taskfleet_worker.runtime.calls import Job

Clock = Callable[[], float]


class Deadlines:
    """Tells about jobs whose time is over.

    A timer is set for the earliest deadline known, and looks at all running jobs when it goes off: setting and cancelling one for each job
    took a tenth of a worker's time. Jobs of one kind have the same time-out, so later ones do not move it.
    """

    def __init__(self, running: Callable[[], Collection[Job]], over: Callable[[Job], None], *, clock: Clock) -> None:
        self._running = running
        self._over = over
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._at = float("inf")
        """When the timer goes off; no deadline of a running job is earlier."""

    def started(self, job: Job) -> None:
        """A job runs, its deadline set."""
        if job.deadline < self._at:
            self._set(job.deadline)

    def _set(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._at = at
        self._timer = asyncio.get_running_loop().call_later(max(0.0, at - self._clock()), self._look)

    def _look(self) -> None:
        self._timer, self._at = None, float("inf")
        now = self._clock()
        for job in [job for job in self._running() if job.deadline <= now]:
            # Told once: a handler may take its time to clean up.
            job.deadline = float("inf")
            self._over(job)
        earliest = min((job.deadline for job in self._running()), default=float("inf"))
        if earliest != float("inf"):
            self._set(earliest)
