"""What the worker asks for next, and when: the one place where slots, pace, lanes, marks and own limits come together."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from uuid import UUID

from taskfleet.models import Claim, Mark
from taskfleet.words import Verdict
from taskfleet_worker.rules.admission import Admission, Request
from taskfleet_worker.rules.errand import Errand, is_done
from taskfleet_worker.rules.lanes import StaleCredit
from taskfleet_worker.rules.markbook import MarkBook
from taskfleet_worker.rules.pace import Pace
from taskfleet_worker.rules.prefetch import Prefetch
from taskfleet_worker.rules.slots import Slots
from taskfleet_worker.runtime.bell import Bell
from taskfleet_worker.runtime.session import Session


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One claim: by whom, for what, and with which offer to the stale lane."""

    session_id: UUID
    request: Request
    marks: Sequence[Mark]
    stale_slots: int
    quiet: bool
    """True if nothing ran or paused when it was made, and it is for all kinds: an empty answer then means an empty queue."""


@dataclass(frozen=True, kw_only=True)
class Appetite:
    """The rules that size and time a claim."""

    slots: Slots
    admission: Admission
    pace: Pace
    credit: StaleCredit
    marks: MarkBook
    prefetch: Prefetch
    trusted_seconds: float
    """How long marks are used after their last refresh."""


class Intake:
    """Decides on claims for one session after the other."""

    def __init__(
        self,
        session: Session,
        appetite: Appetite,
        *,
        random: Callable[[], float],
        errand: Errand = Errand.ENDLESS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._rules = appetite
        self._random = random
        self._errand = errand
        self._clock = clock
        self.bell = Bell()
        """Rung by everybody who has news for the exchange: an ending, a wake-up, a drain mark, a stop."""
        self.stopped = False
        """True once the worker is going down: no claim is made any more."""
        self.done = asyncio.Event()
        """The errand needs no more claims; none is made from then on."""
        self.active = False
        """True when a claim brought something since somebody last set it to False."""

    def seconds_to_next(self) -> float:
        """Until a claim should be made though nothing has ended; infinite while none may be made."""
        if not self._may_claim:
            return inf
        rules, now = self._rules, self._clock()
        free = rules.slots.free(now=now)
        if not free:
            pause_end = rules.slots.next_pause_end
            return inf if pause_end is None else max(pause_end, rules.pace.due_at) - now
        if not rules.admission.request(free=free, now=now).limit:
            start = rules.admission.next_start(now=now)
            return inf if start is None else start - now
        return rules.pace.due_at - now

    def ask(self, *, waiting: int = 0) -> Ask | None:
        """The claim to make now, where so many claimed tasks wait for a slot already; None if there is no room or no right to one.

        Whether it is due is for the caller to say.
        """
        if not self._may_claim or self._session.id is None:
            return None
        rules, now = self._rules, self._clock()
        request = rules.admission.request(free=rules.slots.free(now=now), now=now)
        ahead = self._ahead() - waiting
        if ahead > 0:
            request = Request(kinds=request.kinds, limit=request.limit + ahead)
        if not request.limit:
            return None
        rules.admission.asked()
        return Ask(
            session_id=self._session.id,
            request=request,
            marks=rules.marks.marks(request.kinds, now=now, trusted_seconds=rules.trusted_seconds),
            stale_slots=rules.credit.slots(limit=request.limit),
            quiet=not rules.slots.taken and not rules.slots.pausing and rules.admission.covers_all(request),
        )

    def _ahead(self) -> int:
        """Tasks that may wait for a slot: none while a slot pauses, a limit of this worker counts, or one claim is all that is wanted."""
        rules = self._rules
        if rules.slots.pausing or rules.admission.limited or self._errand is Errand.ONCE:
            return 0
        return rules.prefetch.size

    def took(self, ask: Ask, claim: Claim) -> None:
        """Take in what a claim brought: the pace, the marks, the lanes and what it says about the session."""
        rules, brought = self._rules, len(claim.tasks)
        rules.prefetch.claimed(filled=brought >= ask.request.limit, limited=claim.limited)
        rules.pace.claimed(claim.verdict, asked=ask.request.limit, brought=brought, now=self._clock(), jitter=self._random())
        if brought:
            self.active = True
            rules.marks.claimed(claim.tasks)
            rules.credit.claimed(brought=brought, stale_slots=ask.stale_slots, share=self._session.stale_share)
        if is_done(self._errand, claim.verdict, quiet=ask.quiet):
            self.done.set()
        if ask.session_id != self._session.id:
            return
        if claim.verdict is Verdict.DRAINING:
            self._session.told_draining(draining=True)

    def woken(self) -> None:
        """Somebody says that there is work."""
        self._rules.pace.woken(now=self._clock(), jitter=self._random())
        self.bell.ring()

    @property
    def _may_claim(self) -> bool:
        return not self.stopped and not self.done.is_set() and not self._session.draining and self._session.id is not None
