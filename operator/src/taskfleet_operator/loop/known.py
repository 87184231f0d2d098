"""The TaskQueues the operator knows: fed by whoever watches (kopf in a cluster, files on one machine), followed by the loop."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from taskfleet_operator.api.reading import read_task_queue
from taskfleet_operator.api.task_queue import QueueKey, TaskQueue
from taskfleet_operator.errors import Fault, SpecInvalidError

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class KnownQueue:
    """One TaskQueue as it is written down, followed or not."""

    key: QueueKey
    uid: str = ""
    generation: int = 0
    followed: TaskQueue | None = None
    """The last version without fault; a faulty change leaves the fleet as it was."""
    faults: tuple[Fault, ...] = ()
    """What is wrong with the newest version; empty: it is followed."""


class KnownQueues:
    """All TaskQueues. `changed` is set whenever one is new, different or gone, and wakes the loop."""

    def __init__(self) -> None:
        self._queues: dict[QueueKey, KnownQueue] = {}
        self.changed = asyncio.Event()

    def remember(self, manifest: Mapping[str, Any], *, unknown_fields: bool = True) -> KnownQueue:
        """Take a TaskQueue as it is now. A faulty one is kept with its faults, and harms no other."""
        key = key_of(manifest)
        before = self._queues.get(key)
        metadata = manifest.get("metadata") or {}
        now = KnownQueue(key=key, uid=str(metadata.get("uid", "")), generation=int(metadata.get("generation", 0)))
        # An object that was deleted and made anew may have any queue name; only the same object may not change it.
        same = before if before and before.uid == now.uid else None
        followed = same.followed if same else None
        try:
            now = replace(now, followed=read_task_queue(manifest, unknown_fields=unknown_fields, before=followed))
        except SpecInvalidError as error:
            now = replace(now, followed=followed, faults=error.faults)
        # Our own writes of status come back as events too; they change none of this and wake nobody.
        if now != before:
            self._queues[key] = now
            self.changed.set()
        return now

    def forget(self, key: QueueKey) -> None:
        """Drop a TaskQueue that was deleted."""
        if self._queues.pop(key, None) is not None:
            self.changed.set()

    def all(self) -> tuple[KnownQueue, ...]:
        """Give all of them, the oldest first, so that the first of two that name one queue is the one that wins."""
        return tuple(sorted(self._queues.values(), key=lambda known: ((known.followed and known.followed.created_at) or _NEVER, known.key)))


def key_of(manifest: Mapping[str, Any]) -> QueueKey:
    """Tell which TaskQueue a manifest is, however broken the rest of it may be."""
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return QueueKey(namespace=str(metadata.get("namespace") or "default"), name=str(metadata.get("name") or ""))
