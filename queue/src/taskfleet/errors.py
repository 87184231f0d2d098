"""What the queue can refuse.

TaskfleetError
├── InvalidTaskError          a new task that cannot be stored; nothing was enqueued
├── InvalidPolicyError        a policy that contradicts itself; nothing was written
├── QueueFullError            the queue is at its maximum length; nothing was enqueued
├── TaskNotFoundError         no task has this id
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
