"""The heartbeat: renews what this worker holds, and learns what it has lost, what was cancelled and whether it is to drain.

A worker that gets no answer for a whole lease learns nothing any more, but it knows: others have its tasks by now, or soon.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol
from uuid import UUID

from taskfleet.models import HeartbeatAnswer, LeaseRef
from taskfleet_worker.runtime.holdings import Holdings
from taskfleet_worker.runtime.patience import within
from taskfleet_worker.runtime.session import Session
from taskfleet_worker.runtime.supervisor import Beat

_log = logging.getLogger("taskfleet.worker")

ATTENTIVE_SECONDS = 1.0
"""How often a worker that claims nothing asks whether it is to drain, or may go on: claims would tell it, but it makes none."""
WATCH_SECONDS = 1.0
"""The longest that the watch over the lease sleeps without showing that it lives."""


class HeartbeatStore(Protocol):
    """Renews leases and takes the word that a worker is empty."""

    def heartbeat(self, session_id: UUID, *, held: Sequence[LeaseRef]) -> Coroutine[Any, Any, HeartbeatAnswer]:
        """Renew the session and these leases."""

    def mark_drained(self, session_id: UUID) -> Coroutine[Any, Any, bool]:
        """Say that the last lease is gone; False if the session is not draining or still holds one."""


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """When to beat."""

    seconds: float
    """Between two beats."""
    lease_seconds: float
    """How long what is held stays this worker's without a beat that was answered."""
    attentive: Callable[[], bool]
    """Whether no claim is being made that would tell of a drain mark."""
    clock: Callable[[], float] = time.monotonic


class Heartbeat:
    """Beats as the settings say, and every second while the worker makes no claims that would tell it of a drain mark."""

    def __init__(self, store: HeartbeatStore, session: Session, holdings: Holdings, *, rhythm: Rhythm, news: Callable[[], None]) -> None:
        self._store = store
        self._session = session
        self._holdings = holdings
        self._rhythm = rhythm
        self._news = news
        self._due_at = float("-inf")

    async def run(self, beat: Beat) -> None:
        """Beat for ever; a failed beat raises, and the supervisor tries again soon."""
        while True:
            beat()
            session_id = self._session.id
            now = self._rhythm.clock()
            if session_id is not None and (now >= self._due_at or self._session.draining or self._rhythm.attentive()):
                await self._renew(session_id)
                await self._tell_drained(session_id)
                self._due_at = now + self._rhythm.seconds
            await self._session.bell.wait(min(self._rhythm.seconds, ATTENTIVE_SECONDS))

    async def watch(self, beat: Beat) -> None:
        """Fence for ever. A loop of its own: the beat itself may hang on a dead connection, or pause after an error."""
        while True:
            beat()
            await asyncio.sleep(min(self.fence(), WATCH_SECONDS))

    def fence(self) -> float:
        """Take everything for lost when no beat was answered for a whole lease; returns the seconds until that may be."""
        session_id = self._session.id
        if session_id is None:
            return inf
        left = self._session.renewed_at + self._rhythm.lease_seconds - self._rhythm.clock()
        if left > 0:
            return left
        held = list(self._holdings.leases())
        _log.error(
            "session.cut_off", extra={"session_id": str(session_id), "lease_seconds": self._rhythm.lease_seconds, "leases": len(held)}
        )
        self._session.lose(session_id)
        self._holdings.stop_lost(held)
        self._news()
        return inf

    async def _renew(self, session_id: UUID) -> None:
        held = {lease.task_id: lease for lease in self._holdings.leases()}
        sent = self._rhythm.clock()
        # Longer than a lease it is of no use: by then this session is lost, and the next one needs its own beats.
        answer = await within(self._rhythm.lease_seconds, self._store.heartbeat(session_id, held=list(held.values())))
        if not answer.known:
            if self._session.lose(session_id):
                self._holdings.stop_lost(list(held.values()))
            self._news()
            return
        # What ended while the beat was under way may be named as lost: only jobs that still run under the lease we sent are stopped.
        self._holdings.stop_lost([held[task_id] for task_id in answer.lost if task_id in held])
        self._holdings.stop_cancelled([held[task_id] for task_id in answer.cancelled if task_id in held])
        if answer.released:
            _log.warning("session.leases_released", extra={"session_id": str(session_id), "released": answer.released})
        if session_id == self._session.id:
            self._session.renewed_at = sent
            self._session.stale_share = answer.stale_share
            self._session.told_draining(draining=answer.draining)
        self._news()

    async def _tell_drained(self, session_id: UUID) -> None:
        wanted = self._session.draining and not self._session.drained and session_id == self._session.id
        if wanted and self._holdings.empty:
            self._session.drained = await within(self._rhythm.lease_seconds, self._store.mark_drained(session_id))
            if self._session.drained:
                _log.info("worker.drained", extra={"session_id": str(session_id)})
