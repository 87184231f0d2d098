"""Who this process is to the queue: a new session per start, and another one whenever the database has forgotten it."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID, uuid4

from taskfleet.models import NewSession
from taskfleet_worker.runtime.bell import Bell
from taskfleet_worker.settings import WorkerSettings

_log = logging.getLogger("taskfleet.worker")


class SessionStore(Protocol):
    """Opens and closes sessions."""

    async def open_session(self, session: NewSession) -> None:
        """Make the session known; from now on it may claim."""

    async def close_session(self, session_id: UUID) -> int:
        """Forget the session; what it still held goes back at once. Returns how many tasks that were."""


class Session:
    """The identity of this process in the queue, and what the operator wants of it."""

    def __init__(
        self, store: SessionStore, settings: WorkerSettings, *, kinds: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._settings = settings
        self._kinds = tuple(kinds)
        self._clock = clock
        self.id: UUID | None = None
        """None: not open, or lost; `open` makes a new one."""
        self.renewed_at = float("-inf")
        """When the last word that the database answered was sent: its lease ends no earlier than that and `lease_seconds`."""
        self.draining = False
        """The operator wants no more claims; reversible until this process is told to go."""
        self.drained = False
        """The queue has been told that the last lease is gone."""
        self.stale_share = 0.2
        """The queue's share of claims for stale tasks, as the last heartbeat told it."""
        self.bell = Bell()
        """Rung when the heartbeat has something to ask or to tell at once."""

    async def open(self) -> UUID:
        """Open a new session under a new id; raises what the store raises, and then none is open."""
        new, sent = uuid4(), self._clock()
        await self._store.open_session(
            NewSession(
                session_id=new,
                queue=self._settings.queue,
                worker=self._settings.worker_id,
                pod_uid=self._settings.pod_uid,
                slots=self._settings.concurrency,
                kinds=self._kinds,
                lease_seconds=self._settings.lease_seconds,
                backoff=self._settings.backoff,
            )
        )
        self.id, self.renewed_at, self.draining, self.drained = new, sent, False, False
        _log.info("session.opened", extra={"session_id": str(new), "queue": self._settings.queue, "kinds": list(self._kinds)})
        return new

    def lose(self, session_id: UUID) -> bool:
        """The database does not know this session any more; False if it was replaced already."""
        if self.id != session_id:
            return False
        _log.warning("session.lost", extra={"session_id": str(session_id)})
        self.id = None
        return True

    def told_draining(self, *, draining: bool) -> None:
        """Take in the operator's drain mark."""
        if draining != self.draining:
            _log.info("worker.draining" if draining else "worker.undrained", extra={"session_id": str(self.id)})
            self.bell.ring()
        self.draining = draining
        self.drained = self.drained and draining

    async def close(self) -> None:
        """Say goodbye, so that nobody waits for this session to expire."""
        if self.id is not None:
            released = await self._store.close_session(self.id)
            _log.info("session.closed", extra={"session_id": str(self.id), "released": released})
            self.id = None
