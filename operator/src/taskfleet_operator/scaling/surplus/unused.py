"""Two-speed scale-down: slots that stayed unused for a whole window may go.

What counts is the lowest number of idle slots in the window, not the idle age of a worker: under random dispatch no single
worker stays idle for long, however many slots are too many.
"""

from msgspec import Struct

from taskfleet_operator.scaling.capacity import Capacity
from taskfleet_operator.scaling.extremes import larger, smaller
from taskfleet_operator.scaling.windows import RecentLow

QUICK_SECONDS = 6.0
"""Shorter, momentary gaps between claims would count; longer only costs: what is worth keeping is kept by the other window."""
LEAST_TICKS = 1
SLOW_SECONDS = 20.0
GAP_TICKS = 5


class Unused(Struct, frozen=True, kw_only=True, gc=False):
    """Slots nobody used."""

    slots: int
    """That may go now."""
    quick: float | None
    """The lowest number idle in the quick window; None while nobody has watched that long."""
    slow: float | None
    """In the longer window: as long as a restart costs."""


def quick_window(tick_seconds: float) -> float:
    """6 s, and at least a tick: two looks."""
    return larger(QUICK_SECONDS, LEAST_TICKS * tick_seconds)


def slow_window(startup_seconds: float) -> float:
    """An idle worker is kept about as long as a restart costs: max(20 s, 2·D)."""
    return larger(SLOW_SECONDS, 2 * startup_seconds)


def observe_unused(window: RecentLow, spare_slots: int, *, now: float, startup_seconds: float, tick_seconds: float) -> RecentLow:
    """Remember how many slots are without a task now; starting ones are, and none is while more are wanted."""
    return window.seen(
        float(spare_slots),
        at=now,
        keep_seconds=larger(slow_window(startup_seconds), quick_window(tick_seconds)),
        gap_seconds=gap_seconds(tick_seconds),
    )


def gap_seconds(tick_seconds: float) -> float:
    """Nobody watched when two looks are further apart."""
    return larger(QUICK_SECONDS, GAP_TICKS * tick_seconds)


def unused(window: RecentLow, fleet: Capacity, *, keep: int, now: float, startup_seconds: float, tick_seconds: float) -> Unused:
    """The slots that may go: those above `keep`, which arrivals are worth, after the quick window, the others after the slow one."""
    quick = window.low(quick_window(tick_seconds), now=now)
    slow = window.low(slow_window(startup_seconds), now=now)
    above = smaller(quick or 0.0, fleet.slots - keep)
    return Unused(slots=int(larger(larger(above, slow or 0.0), 0.0)), quick=quick, slow=slow)
