"""Database URLs out of Secrets: read by name, remembered for a while, read anew when a database refuses them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from taskfleet_operator.api.spec.database import SecretReference
from taskfleet_operator.api.task_queue import TaskQueue
from taskfleet_operator.databases.link import DatabaseAccess
from taskfleet_operator.errors import (
    ClusterRefusedError,
    ClusterUnreachableError,
    ObjectInvalidError,
    ObjectMissingError,
    SecretMissingError,
)
from taskfleet_operator.objects import ObjectKey
from taskfleet_operator.settings import OperatorSettings


class SecretReader(Protocol):
    """Where Secrets are."""

    async def secret_value(self, secret: ObjectKey, *, key: str) -> str:
        """Read one entry of a Secret."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Entry:
    namespace: str
    name: str
    key: str


@dataclass(frozen=True, kw_only=True)
class _Known:
    value: str
    read_at: float


class ClusterSecrets:
    """Gives the way into each queue's database. While the API server is away the last known URL is used."""

    def __init__(
        self, reader: SecretReader, *, settings: Callable[[], OperatorSettings], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader, self._settings, self._clock = reader, settings, clock
        self._known: dict[_Entry, _Known] = {}

    async def access_of(self, task_queue: TaskQueue) -> DatabaseAccess:
        """Give the URLs of a TaskQueue; raises SecretMissingError naming the Secret and the key."""
        spec = task_queue.spec.database
        return DatabaseAccess(
            url=await self._value(task_queue, spec.secret_ref),
            migrate_url=await self._value(task_queue, spec.migrate.secret_ref) if spec.migrate else None,
        )

    def distrust(self, task_queue: TaskQueue) -> None:
        """Read the URL anew next time: the database refused it."""
        self._known.pop(_entry(task_queue, task_queue.spec.database.secret_ref), None)

    async def _value(self, task_queue: TaskQueue, reference: SecretReference) -> str:
        entry = _entry(task_queue, reference)
        known = self._known.get(entry)
        if known is not None and self._clock() - known.read_at < self._settings().secret_seconds:
            return known.value
        try:
            value = await self._reader.secret_value(ObjectKey(namespace=entry.namespace, name=entry.name), key=entry.key)
        except (ObjectMissingError, ObjectInvalidError, ClusterRefusedError) as error:
            self._known.pop(entry, None)
            message = f"the database URL is to come from Secret {entry.namespace}/{entry.name}, key {entry.key!r}: {error}"
            raise SecretMissingError(message) from error
        except ClusterUnreachableError:
            if known is None:
                raise
            return known.value
        self._known[entry] = _Known(value=value, read_at=self._clock())
        return value


def _entry(task_queue: TaskQueue, reference: SecretReference) -> _Entry:
    return _Entry(namespace=task_queue.key.namespace, name=reference.name, key=reference.key)
