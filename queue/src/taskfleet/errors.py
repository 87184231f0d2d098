"""What the queue can refuse.

TaskfleetError
├── InvalidTaskError          a new task that cannot be stored; nothing was enqueued
├── InvalidPolicyError        a policy that contradicts itself; nothing was written
├── QueueFullError            the queue is at its maximum length; nothing was enqueued
├── TaskNotFoundError         no task has this id
├── NoResultError             a task whose result was waited for gave none
│   ├── TaskFailedError       it failed
│   ├── TaskCancelledError    it was cancelled
│   ├── ResultTooLargeError   it succeeded, but what it returned was too large to be kept
│   └── ResultTimeoutError    it had not finished in time
├── StalePolicyError          a newer operator has taken the lead; nothing was written
├── JobBusyError              another process holds on to a maintenance job; this batch was not begun
├── DatabaseUnreachableError  no connection within the allowed tries; the driver's error is the cause
├── SettingsError             a setting is missing or wrong
├── EmbeddedServerError       the embedded PostgreSQL could not be started
└── SchemaError
    ├── SchemaMissingError    the schema is not there: run `taskfleet migrate up`
    ├── SchemaTooNewError     a newer release made it: upgrade this one
    └── MigrationError        a migration was changed after it was applied, or could not be applied
"""

from taskfleet.words import DeadReason


class TaskfleetError(Exception):
    """Base of every error that this package raises on purpose."""


class InvalidTaskError(TaskfleetError, ValueError):
    """A new task that cannot be stored; nothing was enqueued."""


class InvalidPolicyError(TaskfleetError, ValueError):
    """A policy that contradicts itself; nothing was written."""


class QueueFullError(TaskfleetError):
    """The queue is at its maximum length; nothing was enqueued."""

    def __init__(self, *, queue: str, length: int, limit: int, adding: int = 1) -> None:
        more = "" if adding == 1 else f"; {adding:,} more do not fit"
        super().__init__(f"queue {queue!r} holds {length:,} tasks, its limit is {limit:,}{more}: let it drain, or raise limits.maxLength")
        self.queue, self.length, self.limit, self.adding = queue, length, limit, adding


class TaskNotFoundError(TaskfleetError, LookupError):
    """No task has this id."""

    def __init__(self, task_id: int) -> None:
        super().__init__(f"there is no task {task_id}: it never was, or its retention has passed")
        self.task_id = task_id


class NoResultError(TaskfleetError):
    """A task whose result was waited for gave none."""

    def __init__(self, message: str, *, task_id: int) -> None:
        super().__init__(message)
        self.task_id = task_id


class TaskFailedError(NoResultError):
    """The task failed for good; it is a dead letter now."""

    def __init__(self, *, task_id: int, reason: DeadReason, code: str, message: str) -> None:
        super().__init__(f"task {task_id} failed ({reason}), {code}: {message}", task_id=task_id)
        self.reason, self.code, self.message = reason, code, message


class TaskCancelledError(NoResultError):
    """The task was cancelled."""

    def __init__(self, *, task_id: int, message: str) -> None:
        super().__init__(f"task {task_id} was cancelled: {message}", task_id=task_id)


class ResultTooLargeError(NoResultError):
    """The task succeeded, but what it returned was too large to be kept."""

    def __init__(self, *, task_id: int, size: int) -> None:
        super().__init__(
            f"task {task_id} succeeded, but its result has {size:,} bytes as JSON, more than its queue keeps (max_result_bytes): "
            "store it elsewhere and return a reference to it",
            task_id=task_id,
        )
        self.size = size


class ResultTimeoutError(NoResultError, TimeoutError):
    """The task had not finished in time; it goes on, and can be waited for again."""

    def __init__(self, *, task_id: int, seconds: float) -> None:
        super().__init__(
            f"task {task_id} has not finished within {seconds:g} s: it goes on, wait for it again or cancel it", task_id=task_id
        )
        self.seconds = seconds


class StalePolicyError(TaskfleetError):
    """A newer operator has taken the lead; nothing was written."""

    def __init__(self, *, epoch: int, current: int) -> None:
        super().__init__(
            f"this operator leads with epoch {epoch}, the database follows {current}: another operator took over; stop writing"
        )
        self.epoch, self.current = epoch, current


class JobBusyError(TaskfleetError):
    """Another process holds on to a maintenance job; this batch was not begun."""

    def __init__(self, *, job: str, seconds: float) -> None:
        super().__init__(
            f"another process has been at job {job} for more than {seconds:g} s: "
            "look for it in pg_locks (locktype advisory), or try again when it is done"
        )
        self.job = job


class DatabaseUnreachableError(TaskfleetError):
    """No connection within the allowed tries; the driver's error is the cause."""


class SettingsError(TaskfleetError, ValueError):
    """A setting is missing or wrong; the message names it, what was found and what is allowed."""


class EmbeddedServerError(TaskfleetError):
    """The embedded PostgreSQL could not be started; the message holds the end of its log."""


class SchemaError(TaskfleetError):
    """The schema in the database does not fit this release."""


class SchemaMissingError(SchemaError):
    """The schema is not there."""

    def __init__(self, *, schema: str) -> None:
        super().__init__(f"the database has no schema {schema!r}, or it is older than this release needs: run `taskfleet migrate up`")


class SchemaTooNewError(SchemaError):
    """A newer release made the schema."""

    def __init__(self, *, schema: str, found: int, known: int) -> None:
        super().__init__(
            f"schema {schema!r} is at migration {found}, this release knows {known}: upgrade taskfleet here, or roll back there"
        )


class MigrationError(SchemaError):
    """A migration was changed after it was applied, or could not be applied; nothing of it remains."""
