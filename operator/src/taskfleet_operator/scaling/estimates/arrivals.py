"""How fast tasks arrive: a moving average that a batch cannot fool and that drops at once when arrivals stop.

A batch is backlog, not rate: each tick's count is cut to `3m + 3√m + 3`, where m is what the average expected
(a winsorized mean; 3√m is three standard deviations of a Poisson count).
"""

from math import exp, sqrt

from msgspec import Struct

RECENT_TICKS = 6
DROP = 3.0
"""Standard deviations of a Poisson count."""


class Arrivals(Struct, frozen=True, kw_only=True):
    """A rate in tasks a second and what the last ticks said."""

    rate: float
    recent: tuple[float, ...]


def arrivals(before: Arrivals, count: float, *, seconds: float, window_seconds: float) -> Arrivals:
    """The rate after a tick of `seconds` in which `count` tasks arrived."""
    expected = before.rate * seconds
    plausible = min(count, 3 * expected + 3 * sqrt(expected) + 3)
    weight = 1 - exp(-seconds / window_seconds)
    rate = before.rate + weight * (plausible / seconds - before.rate)
    recent = (*before.recent[1 - RECENT_TICKS :], count / seconds)
    if len(recent) == RECENT_TICKS:
        rate = _dropped(rate, recent, seconds=seconds)
    return Arrivals(rate=rate, recent=recent)


def window_seconds(max_wait_seconds: float, service_seconds: float) -> float:
    """How far back the average looks: twice the goal or the service time, between one and thirty minutes."""
    return min(1800.0, max(60.0, 2 * max(max_wait_seconds, service_seconds)))


def _dropped(rate: float, recent: tuple[float, ...], *, seconds: float) -> float:
    """The rate, or less where the last ticks say so: where most of them lie below it, and by more than chance explains.

    A median that lies three standard deviations below what a tick should bring counts at once. At a few tasks a second it never can, so
    there all six ticks together must: at two a second 24 tasks are expected in twelve seconds, nine or fewer are a drop, to their mean.
    """
    ordered = sorted(recent)
    median = (ordered[RECENT_TICKS // 2 - 1] + ordered[RECENT_TICKS // 2]) / 2
    expected = rate * seconds
    if median * seconds < expected - DROP * sqrt(expected):
        return median
    together = expected * RECENT_TICKS
    fewer = ordered[RECENT_TICKS // 2] < rate and sum(recent) * seconds < together - DROP * sqrt(together)
    return sum(recent) / RECENT_TICKS if fewer else rate
