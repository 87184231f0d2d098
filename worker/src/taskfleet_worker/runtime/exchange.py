"""The exchange loop: endings go to the database, new tasks come back, in one round trip wherever both are wanted.

One exchange is under way at a time. What ends meanwhile rides with the next, so batches grow by themselves as the load does;
an ending that finds the loop idle waits a few milliseconds for company while other handlers run, and not at all when none does.
"""

import logging
import time
from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol
from uuid import UUID

from taskfleet.errors import DatabaseUnreachableError
from taskfleet.models import Claim, Mark, Settled, Settlement
from taskfleet.words import ErrorCode, Verdict
from taskfleet_worker.context import ids_of
from taskfleet_worker.rules.endings import Ending, record_of_refused_write
from taskfleet_worker.runtime.holdings import Holdings
from taskfleet_worker.runtime.intake import Ask, Intake
from taskfleet_worker.runtime.outbox import settlement_of
from taskfleet_worker.runtime.reporting import Reporter
from taskfleet_worker.runtime.session import Session
from taskfleet_worker.runtime.supervisor import Beat

_log = logging.getLogger("taskfleet.worker")

SETTLEMENT_SIZE = 1_000
"""Endings of one write: larger statements win nothing and hold their locks longer."""
IDLE_SECONDS = 5.0
"""The longest the loop waits without showing that it lives."""


class ExchangeStore(Protocol):
    """Writes endings and claims tasks. After an error nobody knows whether anything was written."""

    async def settle(self, settlement: Settlement) -> Settled:
        """Write endings in one transaction, each fenced by its token."""

    async def claim(self, session_id: UUID, *, kinds: Sequence[str], limit: int, marks: Sequence[Mark] = (), stale_slots: int = 0) -> Claim:
        """Take up to `limit` tasks."""

    async def settle_and_claim(
        self,
        settlement: Settlement,
        session_id: UUID,
        *,
        kinds: Sequence[str],
        limit: int,
        marks: Sequence[Mark] = (),
        stale_slots: int = 0,
    ) -> tuple[Settled, Claim]:
        """Both in one round trip and one transaction."""


class Exchange:
    """Moves endings out and tasks in until it is cancelled."""

    def __init__(
        self, store: ExchangeStore, session: Session, holdings: Holdings, intake: Intake, reporter: Reporter, *, flush_seconds: float
    ) -> None:
        self._store = store
        self._session = session
        self._holdings = holdings
        self._outbox = holdings.outbox
        self._intake = intake
        self._reporter = reporter
        self._flush_seconds = flush_seconds
        self._clock: Callable[[], float] = time.monotonic

    async def run(self, beat: Beat) -> None:
        """Exchange for ever. An error leaves every ending in the outbox and raises; the supervisor starts the loop again soon."""
        while True:
            beat()
            if self._session.id is None and not self._intake.stopped:
                await self._session.open()
            seconds = self._seconds_to_next()
            if seconds > 0.0:
                await self._intake.bell.wait(min(seconds, IDLE_SECONDS))
            else:
                await self.once()

    async def once(self) -> None:
        """One round trip: write what has ended, claim for what is free."""
        if self._clock() >= self._holdings.shelf.give_back_at:
            self._holdings.give_back()
        ask = self._intake.ask(waiting=len(self._holdings.shelf))
        endings = self._outbox.take(SETTLEMENT_SIZE)
        self._holdings.claiming, began = ask is not None, self._clock()
        try:
            settled, claim = await self._trip(endings, ask)
        except BaseException as error:
            self._outbox.unanswered()
            if not endings or not blames_content(error):
                raise
            return await self._settle_singly(len(endings))
        finally:
            self._holdings.claiming = False
        self._outbox.answered()
        seconds = self._clock() - began
        if ask is not None and claim is not None:
            self._take_in(ask, claim)
        # Told last: what a log handler of somebody's raises must not leave claimed tasks behind that nobody runs.
        self._reporter.settled(endings, settled)
        if claim is not None:
            self._reporter.claimed(claim, seconds=seconds)
        if self._session.draining and self._holdings.empty:
            self._session.bell.ring()
        return None

    async def _trip(self, endings: Sequence[Ending], ask: Ask | None) -> tuple[Settled, Claim | None]:
        if ask is None:
            return (await self._store.settle(settlement_of(endings)) if endings else Settled()), None
        kinds, limit = ask.request.kinds, ask.request.limit
        if not endings:
            claim = await self._store.claim(ask.session_id, kinds=kinds, limit=limit, marks=ask.marks, stale_slots=ask.stale_slots)
            return Settled(), claim
        return await self._store.settle_and_claim(
            settlement_of(endings), ask.session_id, kinds=kinds, limit=limit, marks=ask.marks, stale_slots=ask.stale_slots
        )

    def _take_in(self, ask: Ask, claim: Claim) -> None:
        self._intake.took(ask, claim)
        if claim.verdict is Verdict.SESSION_LOST and self._session.lose(ask.session_id):
            self._holdings.stop_lost(list(self._holdings.leases()))
        # A session may be given up while its claim is under way: no heartbeat would renew what it brought.
        if not self._intake.stopped and self._session.id == ask.session_id:
            return self._holdings.take_in(claim.tasks)
        for task in claim.tasks:
            self._holdings.jobs.give_back(task, ErrorCode.UNSTARTED)
        return None

    async def _settle_singly(self, count: int) -> None:
        """The database refused the content of a batch: write one by one, so that one bad ending holds up no other."""
        for _ in range(count):
            (ending,) = self._outbox.take(1)
            try:
                await self._settle_one(ending)
            except BaseException:
                self._outbox.unanswered()
                raise
            self._outbox.answered()

    async def _settle_one(self, ending: Ending) -> None:
        try:
            self._reporter.settled([ending], await self._store.settle(settlement_of([ending])))
        except Exception as error:
            if not blames_content(error):
                raise
            _log.exception("settlement.refused", extra=ids_of(ending.task))
            instead = ending._replace(record=record_of_refused_write(ending, error))
            self._reporter.settled([instead], await self._store.settle(settlement_of([instead])))

    def _seconds_to_next(self) -> float:
        return min(self._seconds_to_flush(), self._intake.seconds_to_next(), self._holdings.shelf.give_back_at - self._clock())

    def _seconds_to_flush(self) -> float:
        oldest = self._outbox.oldest
        if oldest is None:
            return inf
        if not self._holdings.jobs.running or self._outbox.waiting >= SETTLEMENT_SIZE:
            return 0.0
        return oldest + self._flush_seconds - self._clock()


def blames_content(error: BaseException) -> bool:
    """Whether the database (or the driver) refuses what is in the endings, which no later try would change.

    SQLSTATE class 22 is "data exception"; the driver refuses some content before it is sent. A lost connection, a lock time-out, a
    missing right or a full disk may pass: those endings are kept as they are.
    """
    if isinstance(error, DatabaseUnreachableError) or not isinstance(error, Exception):
        return False
    sqlstate = getattr(error, "sqlstate", None)
    by_driver = any(base.__name__ == "DataError" for base in type(error).__mro__)
    return (isinstance(sqlstate, str) and sqlstate.startswith("22")) or by_driver or isinstance(error, TypeError | ValueError)
