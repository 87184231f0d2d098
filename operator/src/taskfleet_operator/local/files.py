"""The files of a local operator: read again when they change, and the place where database URLs come from."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from taskfleet_operator.api.task_queue import QueueKey, TaskQueue
from taskfleet_operator.databases.link import DatabaseAccess
from taskfleet_operator.errors import FileInvalidError, SecretMissingError
from taskfleet_operator.local.documents import Documents, Manifest, SecretKey, joined, read_documents
from taskfleet_operator.loop.known import KnownQueue, KnownQueues, key_of

DATABASE_URL: Final = "TASKFLEET_DATABASE_URL"
DIRECT_DATABASE_URL: Final = "TASKFLEET_DIRECT_DATABASE_URL"
FALLBACK_SECRET: Final = {"secretRef": {"name": "taskfleet-database"}}
"""Stands in a TaskQueue that names no database, so that the environment's URL is taken."""

_log = logging.getLogger(__name__)
_Stamp = tuple[int, int, int] | None


class LocalFiles:
    """Feeds the TaskQueues of files into the set of known queues; a broken file keeps what it held before, and harms no other."""

    def __init__(self, files: Sequence[Path], known: KnownQueues, *, environment: Mapping[str, str] = os.environ) -> None:
        self._files, self._known, self._environment = tuple(files), known, environment
        self._stamps: dict[Path, _Stamp] = {}
        self._documents: dict[Path, Documents] = {}
        self._told: frozenset[QueueKey] = frozenset()

    def load(self) -> Sequence[FileInvalidError]:
        """Read what has changed; gives the errors of files that cannot be read, each told once."""
        errors: list[FileInvalidError] = []
        changed = False
        for file in self._files:
            stamp = _stamp(file)
            if file in self._stamps and stamp == self._stamps[file]:
                continue
            self._stamps[file] = stamp
            try:
                self._documents[file] = read_documents(file)
                changed = True
            except FileInvalidError as error:
                errors.append(error)
                _log.error("file.invalid", extra={"file": str(file), "error": str(error)})
        if changed:
            self._tell()
        return errors

    @property
    def queues(self) -> Sequence[KnownQueue]:
        """What the files hold, followed or faulty."""
        return self._known.all()

    async def access_of(self, task_queue: TaskQueue) -> DatabaseAccess:
        """Give the URL of the Secret in the files, else of the environment; raises SecretMissingError."""
        spec = task_queue.spec.database
        migrate = spec.migrate
        url = self._url(task_queue, name=spec.secret_ref.name, key=spec.secret_ref.key)
        # The environment's way past a pooler leads to the environment's database, and to no other.
        direct = self._environment.get(DIRECT_DATABASE_URL) if url == (self._environment.get(DATABASE_URL) or "").strip() else None
        return DatabaseAccess(
            url=url,
            direct_url=direct,
            migrate_url=self._url(task_queue, name=migrate.secret_ref.name, key=migrate.secret_ref.key) if migrate else None,
        )

    def distrust(self, task_queue: TaskQueue) -> None:
        """Files are read again when they change; there is nothing to forget."""

    def _url(self, task_queue: TaskQueue, *, name: str, key: str) -> str:
        secrets = joined(list(self._documents.values())).secrets
        found = secrets.get(SecretKey(namespace=task_queue.key.namespace, name=name, key=key)) or self._environment.get(DATABASE_URL)
        if not found:
            message = (
                f"TaskQueue {task_queue.key}: no file holds Secret {task_queue.key.namespace}/{name} with key {key!r}, "
                f"and {DATABASE_URL} is not set: add a Secret with stringData, or set the variable"
            )
            raise SecretMissingError(message)
        return found.strip()

    def _tell(self) -> None:
        """Tell the set of known queues what is new, different or gone."""
        there: dict[QueueKey, Manifest] = {}
        for manifest in joined(list(self._documents.values())).task_queues:
            key = key_of(manifest)
            if key in there:
                _log.error(
                    "file.duplicate", extra={"task_queue": str(key), "error": "two documents name this TaskQueue; the first is followed"}
                )
                continue
            there[key] = manifest
        for key in self._told - set(there):
            self._known.forget(key)
        for manifest in there.values():
            self._known.remember(self._with_database(manifest), unknown_fields=False)
        self._told = frozenset(there)

    def _with_database(self, manifest: Manifest) -> Manifest:
        """Let a TaskQueue leave out its database where the environment names one."""
        spec = manifest.get("spec")
        if isinstance(spec, Mapping) and "database" not in spec and self._environment.get(DATABASE_URL):
            return {**manifest, "spec": {**spec, "database": FALLBACK_SECRET}}
        return manifest


def _stamp(file: Path) -> _Stamp:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
