"""What a handler may know about the task it runs."""

import logging
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar

from taskfleet.models import ClaimedTask


class Context:
    """One attempt of one task. Cheap: what nobody asks for is not worked out."""

    __slots__ = ("_clock", "_started", "cancelled", "task")

    def __init__(self, task: ClaimedTask, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.task = task
        """All that the claim brought."""
        self.cancelled = False
        """True once the result is not wanted any more: cancelled, timed out, lease lost, worker shutting down.
        An async handler is cancelled at its next await; a sync handler in its thread can only look here."""
        self._clock = clock
        self._started = clock()

    @property
    def task_id(self) -> int:
        """The task's id."""
        return self.task.task_id

    @property
    def kind(self) -> str:
        """The task's kind."""
        return self.task.kind

    @property
    def attempt(self) -> int:
        """1 for the first."""
        return self.task.attempt

    @property
    def max_attempts(self) -> int:
        """The attempt after which an error makes the task a dead letter."""
        return self.task.max_attempts

    @property
    def entity(self) -> str | None:
        """What the task is about, as its producer named it."""
        return self.task.entity

    @property
    def group(self) -> str | None:
        """The label of its producer: a tenant, an episode, a chat."""
        return self.task.group

    @property
    def headers(self) -> Mapping[str, str]:
        """What travels with the task; empty if nothing does."""
        return self.task.headers or {}

    @property
    def trace_id(self) -> str | None:
        """The trace that the task belongs to, 32 hex digits."""
        return trace_id_of(self.task.headers)

    @property
    def seconds_left(self) -> float | None:
        """Until the hard time-out of this attempt; None without one."""
        if self.task.timeout_seconds is None:
            return None
        return max(0.0, self._started + self.task.timeout_seconds - self._clock())

    @property
    def logger(self) -> logging.Logger:
        """A logger named after the kind; the log adds the ids of the task to each line, as it does for any logger used in a handler."""
        return logging.getLogger(f"taskfleet.tasks.{self.task.kind}")


current_context: ContextVar[Context | None] = ContextVar("taskfleet_context", default=None)
"""The context of the task that the running code belongs to; set for async and sync handlers alike."""


def trace_id_of(headers: Mapping[str, str] | None) -> str | None:
    """The trace id of a W3C `traceparent` header: `00-<32 hex digits>-<16 hex digits>-01`; None if there is none."""
    parent = headers.get("traceparent") if headers else None
    if not isinstance(parent, str):
        return None
    parts = parent.split("-")
    return parts[1] if len(parts) >= 4 and len(parts[1]) == 32 else None
