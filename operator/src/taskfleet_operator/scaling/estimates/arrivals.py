"""How fast tasks arrive: a moving average that a batch cannot fool and that drops at once when arrivals stop.

A batch is backlog, not rate: each tick's count is cut to `3m + 3√m + 3`, where m is what the average expected
(a winsorized mean; 3√m is three standard deviations of a Poisson count).
"""

from math import exp, sqrt

from msgspec.structs import replace

from taskfleet_operator.scaling.extremes import larger, smaller
from taskfleet_operator.scaling.memory import KindMemory

RECENT_TICKS = 6
DROP = 3.0
"""Standard deviations of a Poisson count."""


def arrived(known: KindMemory, count: float, *, seconds: float, window_seconds: float) -> KindMemory:
    """The kind's memory after a tick of `seconds` in which `count` tasks arrived: another rate, one more tick."""
    before = known.arrival_rate
    expected = before * seconds
    plausible = smaller(count, 3 * expected + 3 * sqrt(expected) + 3)
    weight = 1 - exp(-seconds / window_seconds)
    rate = before + weight * (plausible / seconds - before)
    recent = (*known.recent_rates[1 - RECENT_TICKS :], count / seconds)
    if len(recent) == RECENT_TICKS:
        rate = _dropped(rate, recent, seconds=seconds)
    return replace(known, arrival_rate=rate, recent_rates=recent)


def window_seconds(max_wait_seconds: float, service_seconds: float) -> float:
    """How far back the average looks: twice the goal or the service time, between one and thirty minutes."""
    return smaller(1800.0, larger(60.0, 2 * larger(max_wait_seconds, service_seconds)))


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
