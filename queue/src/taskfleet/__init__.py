"""A durable task queue on PostgreSQL.

    import taskfleet

    with taskfleet.Producer("postgresql://user:password@host/database", queue="mail") as producer:
        producer.enqueue("welcome", {"user": 42})

Importing this package costs a few milliseconds: what is heavy (the driver, pydantic) is loaded when it is first used.
"""

from typing import TYPE_CHECKING

from taskfleet.first_use import loaded_on_first_use

if TYPE_CHECKING:
    from taskfleet.client.async_producer import AsyncProducer
    from taskfleet.client.producer import Producer
    from taskfleet.dead_letters import DeadLetterFilter
    from taskfleet.errors import (
        DatabaseUnreachableError,
        EmbeddedServerError,
        InvalidPolicyError,
        InvalidTaskError,
        JobBusyError,
        MigrationError,
        NoResultError,
        QueueFullError,
        ResultTimeoutError,
        ResultTooLargeError,
        SchemaError,
        SchemaMissingError,
        SchemaTooNewError,
        SettingsError,
        StalePolicyError,
        TaskCancelledError,
        TaskFailedError,
        TaskfleetError,
        TaskNotFoundError,
    )
    from taskfleet.models import Attempt, Changed, Enqueued, NewTask, Schedule, Task
    from taskfleet.settings import QueueSettings
    from taskfleet.words import ChangeOutcome, DeadReason, ErrorCode, Outcome, TaskState

__all__ = [
    "AsyncProducer",
    "Attempt",
    "ChangeOutcome",
    "Changed",
    "DatabaseUnreachableError",
    "DeadLetterFilter",
    "DeadReason",
    "EmbeddedServerError",
    "Enqueued",
    "ErrorCode",
    "InvalidPolicyError",
    "InvalidTaskError",
    "JobBusyError",
    "MigrationError",
    "NewTask",
    "NoResultError",
    "Outcome",
    "Producer",
    "QueueFullError",
    "QueueSettings",
    "ResultTimeoutError",
    "ResultTooLargeError",
    "Schedule",
    "SchemaError",
    "SchemaMissingError",
    "SchemaTooNewError",
    "SettingsError",
    "StalePolicyError",
    "Task",
    "TaskCancelledError",
    "TaskFailedError",
    "TaskNotFoundError",
    "TaskState",
    "TaskfleetError",
]

_HOMES = {
    "AsyncProducer": "taskfleet.client.async_producer",
    "Attempt": "taskfleet.models",
    "ChangeOutcome": "taskfleet.words",
    "Changed": "taskfleet.models",
    "DeadLetterFilter": "taskfleet.dead_letters",
    "DeadReason": "taskfleet.words",
    "Enqueued": "taskfleet.models",
    "ErrorCode": "taskfleet.words",
    "NewTask": "taskfleet.models",
    "Outcome": "taskfleet.words",
    "Producer": "taskfleet.client.producer",
    "QueueSettings": "taskfleet.settings",
    "Schedule": "taskfleet.models",
    "Task": "taskfleet.models",
    "TaskState": "taskfleet.words",
}
"""The module of each public name; the errors live in taskfleet.errors."""


if not TYPE_CHECKING:
    __getattr__ = loaded_on_first_use(__name__, {**dict.fromkeys(__all__, "taskfleet.errors"), **_HOMES})


def __dir__() -> list[str]:
    """The public names too, loaded or not."""
    return sorted({*globals(), *__all__})
