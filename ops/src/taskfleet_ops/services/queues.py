"""Which queues there are."""

from collections.abc import Sequence
from typing import Protocol

from taskfleet_ops.errors import QueueNotFoundError


class KnowsQueues(Protocol):
    """What can say which queues a database has."""

    async def queues(self) -> Sequence[str]:
        """Their names."""


async def require_queue(reader: KnowsQueues, queue: str) -> None:
    """Raise QueueNotFoundError, with the nearest name, unless the queue is there."""
    known = await reader.queues()
    if queue not in known:
        raise QueueNotFoundError(queue=queue, known=known)
