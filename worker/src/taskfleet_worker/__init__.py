"""The worker runtime of taskfleet: what handlers import, and everything behind `taskfleet-worker run`.

`rules/` decides (pure: no clock, no I/O), `runtime/` does, `telemetry/` tells; the files beside this one are what people
who write handlers meet. Nothing here speaks SQL or knows Kubernetes.
"""

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
