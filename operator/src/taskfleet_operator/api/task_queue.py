"""TaskQueue: one object of the resource, as the operator works with it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from taskfleet_operator.api.spec import TaskQueueSpec

GROUP: Final = "taskfleet.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "TaskQueue"
PLURAL: Final = "taskqueues"


@dataclass(frozen=True, kw_only=True, order=True)
class QueueKey:
    """Which TaskQueue: unique in one cluster, or in one local operator."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class TaskQueue:
    """A TaskQueue that was read without fault."""

    key: QueueKey
    uid: str = ""
    generation: int = 0
    """Counted by the API server, 0 for a local file."""
    created_at: datetime | None = None
    labels: dict[str, str] = field(default_factory=dict)
    spec: TaskQueueSpec

    @property
    def queue(self) -> str:
        """The name of the queue in the database."""
        return self.spec.queue or self.key.name


@dataclass(frozen=True, kw_only=True)
class ObjectRule:
    """A rule of the whole object, where CEL sees metadata.name; `holds` gets the object before (None: it is new) and after."""

    cel: str
    message: str
    holds: Callable[[TaskQueue | None, TaskQueue], bool]


_QUEUE_CEL: Final = "(has({0}.spec.queue) ? {0}.spec.queue : {0}.metadata.name)"

OBJECT_RULES: Final = (
    ObjectRule(
        cel="self.metadata.name.size() <= 63",
        message="metadata.name must not be longer than 63 characters: it is a label of the workers",
        holds=lambda _before, after: len(after.key.name) <= 63,
    ),
    # Of the root, since a rule of the field would let "unset" become another name.
    ObjectRule(
        cel=f"{_QUEUE_CEL.format('self')} == {_QUEUE_CEL.format('oldSelf')}",
        message="the name of the queue cannot change: make another TaskQueue for another queue",
        holds=lambda before, after: before is None or before.queue == after.queue,
    ),
)
