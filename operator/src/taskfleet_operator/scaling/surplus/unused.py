"""Two-speed scale-down: slots that stayed unused for a whole window may go.

What counts is the lowest number of idle slots in the window, not the idle age of a worker: under random dispatch no single
worker stays idle for long, however many slots are too many.
"""

from dataclasses import dataclass

from taskfleet_operator.scaling.capacity import Capacity
from taskfleet_operator.scaling.windows import RecentLow

QUICK_SECONDS = 10.0
SLOW_SECONDS = 20.0
GAP_TICKS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Unused:
    """Slots nobody used."""

    slots: int
    """That may go now."""
    quick: float | None
    """The lowest number idle in the last 10 s; None while nobody has watched that long."""
    slow: float | None
    """In the longer window: as long as a restart costs."""


def slow_window(startup_seconds: float) -> float:
    """An idle worker is kept about as long as a restart costs: max(20 s, 2·D)."""
    return max(SLOW_SECONDS, 2 * startup_seconds)


def observe_unused(window: RecentLow, spare_slots: int, *, now: float, startup_seconds: float, tick_seconds: float) -> RecentLow:
    """Remember how many slots are without a task now; starting ones are, and none is while more are wanted."""
    return window.seen(
        float(spare_slots),
        at=now,
        keep_seconds=slow_window(startup_seconds),
        gap_seconds=max(QUICK_SECONDS, GAP_TICKS * tick_seconds),
    )


def unused(window: RecentLow, fleet: Capacity, *, keep: int, now: float, startup_seconds: float) -> Unused:
    """The slots that may go: above the `keep` slots that arrivals are worth after 10 s, inside it after the longer window."""
    quick = window.low(QUICK_SECONDS, now=now)
    slow = window.low(slow_window(startup_seconds), now=now)
    above = min(quick or 0.0, fleet.slots - keep)
    return Unused(slots=int(max(above, slow or 0.0, 0.0)), quick=quick, slow=slow)
