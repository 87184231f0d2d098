"""Tasks: put one into a queue, look at one, list them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Unpack

from taskfleet import Producer
from taskfleet.models import Enqueued, Task
from taskfleet.settings import QueueSettings
from taskfleet.store import ReaderStore
from taskfleet.task_fields import TaskFields
from taskfleet.words import TaskState
from taskfleet_ops.errors import PayloadNotJsonError
from taskfleet_ops.services.access import Address, opened
from taskfleet_ops.services.queues import require_queue


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which tasks to list."""

    queue: str
    state: TaskState
    kind: str | None = None
    group: str | None = None
    limit: int = 50
    after: int | None = None
    """Page on: only tasks after this id."""


def payload_of(text: str | None) -> object:
    """The payload that a person wrote; None for none. Raises PayloadNotJsonError."""
    if text is None:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as fault:
        raise PayloadNotJsonError(text=text, fault=f"{fault.msg} at character {fault.pos + 1}") from None


async def list_tasks(address: Address, wanted: Selection) -> Sequence[Task]:
    """Tasks of one state, a page at a time. Raises QueueNotFoundError."""
    async with opened(address) as database:
        reader = ReaderStore(database)
        await require_queue(reader, wanted.queue)
        return await reader.list_tasks(
            wanted.queue, state=wanted.state, kind=wanted.kind, group=wanted.group, limit=wanted.limit, after=wanted.after
        )


def get_task(address: Address, task_id: int) -> Task:
    """One task with its attempts, wherever it is in its life. Raises TaskNotFoundError."""
    with producer_of(address) as producer:
        return producer.get_task(task_id)


def enqueue(address: Address, *, queue: str, kind: str, payload: object, **fields: Unpack[TaskFields]) -> Enqueued:
    """Put one task into a queue, which is made if it is new. Raises InvalidTaskError and QueueFullError."""
    with producer_of(address, queue=queue) as producer:
        return producer.enqueue(kind, payload, **fields)


def producer_of(address: Address, *, queue: str | None = None) -> Producer:
    """A producer for one operation."""
    settings = QueueSettings.load().model_copy(update={"schema_name": address.schema})
    return Producer(address.url, queue=queue, settings=settings)
