"""Tasks as those who enqueue them and people see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Unpack

from taskfleet.task_fields import TaskFields
from taskfleet.words import ChangeOutcome, DeadReason, TaskState

_OPTIONAL = TaskFields.__annotations__.keys()


@dataclass(frozen=True, kw_only=True, init=False)
class NewTask:
    """A task to enqueue."""

    kind: str
    payload: object = None
    """What JSON can carry. None is stored as SQL NULL: the worker answers TASK_PAYLOAD_MISSING if its handler wants one."""
    priority: int = 5
    """0-9, lower first."""
    run_at: datetime | None = None
    """Not before this moment (aware); a moment in the past counts as waiting since then. None: now, by the database's clock."""
    delay_seconds: float | None = None
    """Seconds from now by the database's clock; excludes run_at."""
    group: str | None = None
    entity: str | None = None
    """What the task is about; when it is found missing, later tasks of it fail without running."""
    idempotency_key: str | None = None
    """Unique among the unfinished tasks of the kind."""
    headers: Mapping[str, str] | None = None
    """Travels with the task: `traceparent` and the like."""
    max_attempts: int | None = None
    """None: what the kind says."""
    wants_result: bool = False

    def __init__(self, *, kind: str, payload: object = None, **fields: Unpack[TaskFields]) -> None:
        # A frozen dataclass sets each field by a call of its own, which is a sixth of what a task in enqueue_many costs. What is not given
        # is left to the class, where the defaults are.
        if not fields.keys() <= _OPTIONAL:
            message = f"NewTask has no field {min(fields.keys() - _OPTIONAL)!r}: it has kind, payload, {', '.join(sorted(_OPTIONAL))}"
            raise TypeError(message)
        self.__dict__.update(fields, kind=kind, payload=payload)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A recurring task."""

    name: str
    cron: str
    time_zone: str
    task: NewTask
    """What each tick enqueues."""
    next_at: datetime
    last_at: datetime | None
    """The tick of the last task; None: there was none yet."""
    last_task_id: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Enqueued:
    """What became of one new task."""

    task_id: int
    duplicate: bool = False
    """True: an unfinished task with the same idempotency key was there; this is its id."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt that did not succeed."""

    attempt: int
    code: str
    message: str
    started_at: datetime | None
    finished_at: datetime
    worker: str | None
    stack: str | None = None


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task as a person sees it."""

    task_id: int
    queue: str
    kind: str
    state: TaskState
    priority: int | None
    payload: object
    """None once it succeeded: the record of a success is slim."""
    headers: Mapping[str, str] | None
    group: str | None
    entity: str | None
    idempotency_key: str | None
    attempt_count: int
    max_attempts: int | None
    created_at: datetime
    run_at: datetime | None
    """When it may run next; None when it is finished."""
    last_attempt_at: datetime | None
    finished_at: datetime | None = None
    lease_expires_at: datetime | None = None
    worker: str | None = None
    progress: Mapping[str, object] | None = None
    """What its handler said last while it runs: `share` from 0 to 1, `message`."""
    result: object = None
    dead_reason: DeadReason | None = None
    code: str | None = None
    message: str | None = None
    stack: str | None = None
    trace_id: str | None = None
    attempts: Sequence[Attempt] = ()


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What became of the wish to cancel, retry, pause or resume one task."""

    task_id: int
    outcome: ChangeOutcome
    state: TaskState | None = None
    """Where the task is now; None: there is no such task, or it was moving."""
    holder_id: int | None = None
    """The unfinished task that holds the idempotency key, where that stood in the way."""

    @property
    def done(self) -> bool:
        """Whether the task is as it was wished (a running one that is to be cancelled: as far as it could be)."""
        return self.outcome not in (
            ChangeOutcome.HELD_BY_GROUP,
            ChangeOutcome.IDEMPOTENCY_CONFLICT,
            ChangeOutcome.WRONG_STATE,
            ChangeOutcome.NOT_FOUND,
        )
