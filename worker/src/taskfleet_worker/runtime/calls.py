"""Calls of handlers: a call does one task, or the tasks of a batch. Once it waits for something, each task of it is a job of its own."""

import asyncio
from collections.abc import Sequence
from itertools import zip_longest
from math import inf

from taskfleet.models import ClaimedTask
from taskfleet_worker.context import Context
from taskfleet_worker.registry import Handler
from taskfleet_worker.rules.endings import StopReason

Contexts = Context | Sequence[Context]
"""What a handler is called with: one context, or a list of them for a batch."""


class Job:
    """One task of a call that is under way while others run: it can be stopped."""

    __slots__ = ("call", "context", "deadline", "started", "stopped", "task")

    def __init__(self, task: ClaimedTask, context: Context | None, *, started: float) -> None:
        self.task = task
        self.context = context
        """None where the handler does not want to know."""
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
        if self.context is not None:
            self.context.cancelled = True
        # Once is enough: a second cancel would cut off a handler that cleans up. Only a worker that must go insists.
        if first or reason is StopReason.SHUTDOWN:
            self.call.cancel()


class Call:
    """One call of a handler. Made for every task, so by position."""

    __slots__ = ("context", "hand", "handler", "jobs", "payload", "started", "tasks")

    def __init__(self, handler: Handler, tasks: Sequence[ClaimedTask], payload: object, context: Contexts, started: float) -> None:
        self.handler = handler
        self.tasks = tasks
        """In the order that the handler gets them."""
        self.payload = payload
        """What the handler takes; of a batch, a list of it."""
        self.context = context
        """The context, or a list with one for each task of a batch; empty for a batch handler that takes none."""
        self.started = started
        self.jobs: Sequence[Job] = ()
        """Its tasks, once it waits for something."""
        self.hand: asyncio.Task[object] | None = None
        """The asyncio task that it goes on in, once it waits for something."""

    def goes_on(self, hand: "asyncio.Task[object] | None") -> Sequence[Job]:
        """It waits for something, in this asyncio task: from now on each of its tasks may be stopped."""
        contexts = [self.context] if isinstance(self.context, Context) else self.context
        self.hand = hand
        self.jobs = [Job(task, context, started=self.started) for task, context in zip_longest(self.tasks, contexts)]
        for job in self.jobs:
            job.call = self
        return self.jobs

    def cancel(self) -> None:
        """Cancel an async handler at its next await, once nobody wants any task of it; a blocking one sees its contexts."""
        if self.hand is not None and self.unwanted:
            self.hand.cancel()

    @property
    def unwanted(self) -> bool:
        """True when each of its tasks was stopped."""
        return all(job.stopped is not None for job in self.jobs)
