"""How long a task keeps a slot: the total time on test, with a prior that three tasks outweigh.

Completed tasks alone mislead while long ones run: of 50 tasks of about 580 s, the 23 done after 300 s average 152 s.
Their time and the 27 × 300 s still running, over the 23 departures, say 447 s.
(Total time on test: Epstein and Sobel, Life Testing, 1953.)
"""

from collections.abc import Mapping
from math import exp

from taskfleet_operator.scaling.extremes import larger

PRIOR_TASKS = 3
"""k0: how many tasks the prior counts as."""
DEFAULT_SECONDS = 10.0
"""What a task is thought to take when nothing at all is known."""
FORGET_SECONDS = 600.0
FORGET_ABOVE = 30
"""Departures; with fewer, nothing is forgotten."""
SHORTEST_SECONDS = 0.001
"""No estimate falls below it: everything divides by service times."""
KNOWN_DEPARTURES = 5
KINDS_DIFFER = 3.0
"""Estimates are per kind where the known ones differ by more than this factor."""


def service_seconds(*, prior: float, busy_seconds: float, departures: float) -> float:
    """The estimate; `busy_seconds` includes what running tasks have spent so far.

    >>> service_seconds(prior=10, busy_seconds=23 * 152 + 27 * 300, departures=23)
    447.15384615384613
    """
    return larger(SHORTEST_SECONDS, (prior * PRIOR_TASKS + busy_seconds) / (PRIOR_TASKS + departures))


def forget(departures: float, *, seconds: float) -> float:
    """The factor by which evidence fades after `seconds`."""
    return exp(-seconds / FORGET_SECONDS) if departures > FORGET_ABOVE else 1.0


def kinds_differ(known: Mapping[str, float]) -> bool:
    """Whether kinds with evidence of their own are too different for one common estimate."""
    return len(known) > 1 and max(known.values()) > KINDS_DIFFER * min(known.values())
