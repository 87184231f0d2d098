"""Calls of handlers that are under way: a call does one task, or the tasks of a batch; each task of it is a job of its own."""

import asyncio
from collections.abc import Coroutine, Sequence
from math import inf
from typing import Any

from taskfleet.models import ClaimedTask
from taskfleet_worker.context import Context
from taskfleet_worker.registry import Handler
from taskfleet_worker.rules.endings import StopReason


class Job:
    """One task that a handler was called for."""

    __slots__ = ("call", "context", "deadline", "started", "stopped", "task")

    def __init__(self, task: ClaimedTask, context: Context, *, started: float) -> None:
        self.task = task
        self.context = context
        self.started = started
        self.stopped: StopReason | None = None
        """Why it is being stopped; the first reason counts, but a lost lease outdoes all."""
        self.call: Call
        self.deadline = inf if task.timeout_seconds is None else started + task.timeout_seconds
        """When its time is over."""

    def stop(self, reason: StopReason) -> None:
        """Tell the handler through the context, and cancel its call where no other task needs it."""
        first = self.stopped is None
        if first or reason is StopReason.LEASE_LOST:
            self.stopped = reason
        self.context.cancelled = True
        # Once is enough: a second cancel would cut off a handler that cleans up. Only a worker that must go insists.
        if first or reason is StopReason.SHUTDOWN:
            self.call.cancel()


class Call:
    """One call of a handler."""

    __slots__ = ("entered", "future", "handler", "jobs")

    def __init__(self, handler: Handler, jobs: Sequence[Job]) -> None:
        self.handler = handler
        self.jobs = jobs
        self.entered = False
        """True once its coroutine runs: cancelled before that it would vanish without an ending."""
        self.future: asyncio.Task[None]
        for job in jobs:
            job.call = self

    def begin(self, run: Coroutine[Any, Any, None]) -> None:
        """Let the coroutine that makes this call run."""
        self.future = asyncio.get_running_loop().create_task(run)

    def cancel(self) -> None:
        """Cancel an async handler at its next await, once nobody wants any task of it; a blocking one sees its contexts."""
        if self.entered and self.unwanted:
            self.future.cancel()

    def enter(self) -> None:
        """The coroutine runs; raises CancelledError if every task was stopped before."""
        self.entered = True
        if self.unwanted:
            raise asyncio.CancelledError

    @property
    def unwanted(self) -> bool:
        """True when each of its tasks was stopped."""
        return all(job.stopped is not None for job in self.jobs)

    @property
    def tasks(self) -> Sequence[ClaimedTask]:
        """Its tasks, in the order that the handler got them."""
        return [job.task for job in self.jobs]
