"""The worker runtime of taskfleet: what handlers import, and everything behind `taskfleet-worker run`.

`rules/` decides (pure: no clock, no I/O), `runtime/` does, `telemetry/` tells; the files beside this one are what people
who write handlers meet. Nothing here speaks SQL or knows Kubernetes.
"""

from typing import TYPE_CHECKING

from taskfleet.first_use import loaded_on_first_use

if TYPE_CHECKING:
    from taskfleet_worker.context import Context
    from taskfleet_worker.errors import (
        EntityNotFound,
        Overloaded,
        PayloadInvalid,
        PayloadUnsupported,
        PreconditionFailed,
        RetryLater,
        TaskError,
        TaskStopped,
    )
    from taskfleet_worker.registry import Tasks, tasks

__all__ = [
    "Context",
    "EntityNotFound",
    "Overloaded",
    "PayloadInvalid",
    "PayloadUnsupported",
    "PreconditionFailed",
    "RetryLater",
    "TaskError",
    "TaskStopped",
    "Tasks",
    "tasks",
]

_HOMES = {
    **dict.fromkeys(__all__, "taskfleet_worker.errors"),
    "Context": "taskfleet_worker.context",
    "Tasks": "taskfleet_worker.registry",
    "tasks": "taskfleet_worker.registry",
}

if not TYPE_CHECKING:
    __getattr__ = loaded_on_first_use(__name__, _HOMES)
