"""What a handler may know about the task it runs."""

import logging
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar

from taskfleet.models import ClaimedTask, LeaseNote
from taskfleet_worker.errors import TaskStopped

Hear = Callable[[LeaseNote], None]
"""Takes what a handler says about its task while it runs; may be called from any thread."""


def nobody(_note: LeaseNote) -> None:
    """Hears nothing: a context without a worker."""


class Context:
    """One attempt of one task. Cheap: what nobody asks for is not worked out."""

    __slots__ = ("_clock", "_extended", "_hear", "_started", "cancelled", "task")

    def __init__(
        self, task: ClaimedTask, clock: Callable[[], float] = time.monotonic, hear: Hear = nobody, started: float | None = None
    ) -> None:
        self.task = task
        """All that the claim brought."""
        self.cancelled = False
        """True once the result is not wanted any more: cancelled, timed out, lease lost, worker shutting down.
        An async handler is cancelled at its next await; a sync handler in its thread can only look here, or `raise_if_cancelled`."""
        self._clock = clock
        self._started = clock() if started is None else started
        self._extended: float | None = None
        """The deadline that `extend` has set."""
        self._hear = hear

    def __getstate__(self) -> tuple[ClaimedTask, float, float | None]:
        # A child process has the same monotonic clock, and a line of its own to the worker.
        return self.task, self._started, self._extended

    def __setstate__(self, state: tuple[ClaimedTask, float, float | None]) -> None:
        self.task, self._started, self._extended = state
        self.cancelled, self._clock, self._hear = False, time.monotonic, nobody

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
    def deadline(self) -> float | None:
        """The moment of the hard time-out by `time.monotonic()`, as `asyncio.timeout_at` takes it; None without a time-out."""
        if self.task.timeout_seconds is None:
            return None
        return self._started + self.task.timeout_seconds if self._extended is None else self._extended

    @property
    def seconds_left(self) -> float | None:
        """Until the hard time-out of this attempt; None without one."""
        deadline = self.deadline
        return None if deadline is None else max(0.0, deadline - self._clock())

    def extend(self, seconds: float) -> None:
        """Ask for `seconds` from now, where the time-out would come sooner; the queue's own running time-out stays the bound.

        Say it while there is time: the queue hears of it within a second or so, and may end the attempt before.
        """
        if seconds <= 0.0:
            raise ValueError(f"a task is extended by more than 0 seconds, not by {seconds!r}")
        deadline = self.deadline
        if deadline is not None:
            self._extended = max(deadline, self._clock() + seconds)
        self._hear(LeaseNote(lease=self.task.lease, longer_seconds=seconds))

    def progress(self, share: float, message: str = "") -> None:
        """Say how far the task is, from 0 to 1; people see it within a second or so, and only the last word counts."""
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"progress is a share from 0 to 1, not {share!r}")
        self._hear(LeaseNote(lease=self.task.lease, progress={"share": share, "message": message} if message else {"share": share}))

    def raise_if_cancelled(self) -> None:
        """Leave a blocking handler whose result nobody wants any more: raises TaskStopped; async handlers are cancelled anyway."""
        if self.cancelled:
            raise TaskStopped

    def hear_with(self, hear: Hear) -> None:
        """Send what the handler says elsewhere from now on."""
        self._hear = hear

    @property
    def logger(self) -> logging.Logger:
        """A logger named after the kind; the log adds the ids of the task to each line, as it does for any logger used in a handler."""
        return logging.getLogger(f"taskfleet.tasks.{self.task.kind}")


current_context: ContextVar[Context | None] = ContextVar("taskfleet_context", default=None)
"""The context of the task that the running code belongs to; set for async and sync handlers alike."""


def ids_of(task: ClaimedTask) -> dict[str, object]:
    """What every line of the log about a task carries."""
    return {"task_id": task.task_id, "kind": task.kind, "attempt": task.attempt, "trace_id": trace_id_of(task.headers)}


def trace_id_of(headers: Mapping[str, str] | None) -> str | None:
    """The trace id of a W3C `traceparent` header: `00-<32 hex digits>-<16 hex digits>-01`; None if there is none."""
    parent = headers.get("traceparent") if headers else None
    if not isinstance(parent, str):
        return None
    parts = parent.split("-")
    return parts[1] if len(parts) >= 4 and len(parts[1]) == 32 else None
