"""When to ask for work again: quickly while there is some, ever more slowly while there is none.

After a claim that filled every slot the next one may follow at once. After one that brought less the queue is nearly empty:
the step starts at 20 ms and doubles up to the poll interval, so an idle fleet of 1,000 workers asks some 670 times a second
in all. Where a quota, a rate or the ceiling forbids more, work is there and may be allowed any moment: the step stays under 0.5 s.
"""

from taskfleet.words import Verdict

QUICK_SECONDS = 0.02
GATED_START_SECONDS = 0.05
GATED_SECONDS = 0.5
WAKE_SPREAD_SECONDS = 0.003
"""A notification reaches every worker at once: half of them ask at once, the others within this time, not all in the same instant."""

_GATED = (Verdict.QUOTA, Verdict.RATE, Verdict.CEILING)


class Pace:
    """The moment of the next poll. Jitter comes in as a number from 0 to 1."""

    def __init__(self, *, poll_seconds: float) -> None:
        self._poll_seconds = poll_seconds
        self._step = 0.0
        self.due_at = 0.0
        """By the clock that `now` comes from."""

    def claimed(self, verdict: Verdict, *, asked: int, brought: int, now: float, jitter: float) -> None:
        """Take in what a claim brought."""
        if brought >= asked:
            self._step, self.due_at = 0.0, now
            return
        self._step = self._next_step(verdict, brought)
        self.due_at = now + self._step * (0.8 + 0.4 * jitter)

    def woken(self, *, now: float, jitter: float) -> None:
        """Somebody says that there is work."""
        self._step = 0.0
        self.due_at = min(self.due_at, now + WAKE_SPREAD_SECONDS * max(0.0, 2.0 * jitter - 1.0))

    def _next_step(self, verdict: Verdict, brought: int) -> float:
        if verdict is Verdict.PAUSED:
            return self._poll_seconds
        gated = verdict in _GATED
        first, longest = (GATED_START_SECONDS, min(GATED_SECONDS, self._poll_seconds)) if gated else (QUICK_SECONDS, self._poll_seconds)
        if brought or self._step == 0.0:
            return min(first, longest)
        return min(self._step * 2, longest)
