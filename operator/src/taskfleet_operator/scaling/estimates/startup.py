"""How long a replica takes from being wanted to working."""

from math import ceil

KEPT = 20
UNKNOWN_SECONDS = 15.0


def startup_seconds(times: tuple[float, ...]) -> float:
    """The 90th percentile (nearest rank) of the last start-ups; 15 s until one is known.

    Ten start-ups of 1 to 10 s: 9 s.
    """
    if not times:
        return UNKNOWN_SECONDS
    return sorted(times)[ceil(0.9 * len(times)) - 1]


def remembered(times: tuple[float, ...], new: tuple[float, ...]) -> tuple[float, ...]:
    """The last twenty start-ups."""
    return (*times, *new)[-KEPT:] if new else times
