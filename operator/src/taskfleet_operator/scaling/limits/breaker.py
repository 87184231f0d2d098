"""The breaker of a kind: when nearly every attempt fails, a single probe runs until one succeeds.

Closed → (90 % of at least 20 outcomes bad within a window) → probing with one slot for 30 s, doubling to 300 s while probes fail →
growing again, doubling its slots each quiet window → closed. Permanent failures are ignored.
"""

from msgspec.structs import replace

from taskfleet_operator.scaling.memory import Breaker, KindMemory, KindTotals

WINDOW_SECONDS = 15.0
ENOUGH_OUTCOMES = 20
BAD_SHARE = 0.9
FIRST_PAUSE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 300.0


def watch(known: KindMemory, happened: KindTotals, *, now: float, allowed_slots: float) -> KindMemory:
    """The kind's memory after one more tick; a breaker that has grown to `allowed_slots` closes."""
    if known.window_started is None:
        known = replace(known, window_started=now)
    good = known.window_good + happened.succeeded
    bad = known.window_bad + happened.overloaded + happened.faulted
    elapsed = now - (known.window_started or now)
    breaker = known.breaker
    if breaker is None and good + bad >= ENOUGH_OUTCOMES and bad >= BAD_SHARE * (good + bad):
        return _window(known, _opened(now, pause=FIRST_PAUSE_SECONDS), now=now)
    lasts = breaker.pause_seconds if breaker is not None and breaker.probing else WINDOW_SECONDS
    if elapsed < lasts or good + bad == 0:
        unchanged = good == known.window_good and bad == known.window_bad
        return known if unchanged else replace(known, window_good=good, window_bad=bad)
    after = None if breaker is None else _next(breaker, good=good, bad=bad, now=now, allowed_slots=allowed_slots)
    return _window(known, after, now=now)


def _opened(now: float, *, pause: float) -> Breaker:
    return Breaker(slots=1, probing=True, since=now, pause_seconds=pause)


def _next(breaker: Breaker, *, good: int, bad: int, now: float, allowed_slots: float) -> Breaker | None:
    """What follows a probe or a window of growth."""
    if bad > good:
        return _opened(now, pause=min(LONGEST_PAUSE_SECONDS, 2 * breaker.pause_seconds))
    slots = 2 * breaker.slots
    if slots >= allowed_slots:
        return None
    return Breaker(slots=slots, probing=False, since=now, pause_seconds=breaker.pause_seconds)


def _window(known: KindMemory, breaker: Breaker | None, *, now: float) -> KindMemory:
    return replace(known, window_started=now, window_good=0, window_bad=0, breaker=breaker)
