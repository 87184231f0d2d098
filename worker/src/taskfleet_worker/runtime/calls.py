"""Calls of handlers that are under way: a call does one task, or the tasks of a batch; each task of it is a job of its own."""

import asyncio
from collections.abc import Sequence
from math import inf

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

    __slots__ = ("hand", "handler", "jobs", "payloads", "waited")

    def __init__(self, handler: Handler, jobs: Sequence[Job], payloads: Sequence[object]) -> None:
        self.handler = handler
        self.jobs = jobs
        self.payloads = payloads
        """What the handler takes, one for each job."""
        self.hand: asyncio.Task[None] | None = None
        """The asyncio task that it is made in; None before it is made."""
        self.waited = False
        """True once it has waited for something: others have run since it began."""
        for job in jobs:
            job.call = self

    def waits(self) -> None:
        """It waits for something."""
        self.waited = True

    def cancel(self) -> None:
        """Cancel an async handler at its next await, once nobody wants any task of it; a blocking one sees its contexts."""
        # Before it is made there is nothing to cancel: it is looked at once more when its turn comes.
        if self.hand is not None and self.unwanted:
            self.hand.cancel()

    @property
    def unwanted(self) -> bool:
        """True when each of its tasks was stopped."""
        for job in self.jobs:  # noqa: SIM110 - asked for every task; a generator takes thrice the time.
            if job.stopped is None:
                return False
        return True

    @property
    def tasks(self) -> Sequence[ClaimedTask]:
        """Its tasks, in the order that the handler got them."""
        return [job.task for job in self.jobs]
