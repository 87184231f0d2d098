"""Waiting between tries: exponential with full jitter, bounded. Between attempts at a task the database does the same (backoff_seconds)."""

from collections.abc import Iterator
from random import Random

_FIRST_SECONDS = 0.3
_LONGEST_SECONDS = 5.0

FLOOR_SECONDS = 0.05
"""Never less: chance alone must not make a loop spin."""


def jittered(seconds: float, *, random: Random) -> float:
    """Any time up to `seconds`, each as likely as the next, but at least FLOOR_SECONDS (or all of it, where it is less).

    Full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015): clients that failed together do not come back together.
    """
    return max(min(FLOOR_SECONDS, seconds), random.uniform(0.0, seconds))


def pauses(tries: int, *, random: Random, first: float = _FIRST_SECONDS, longest: float = _LONGEST_SECONDS) -> Iterator[float]:
    """Seconds to wait after each try that failed: one fewer than there are tries.

    Each is any time up to a step that doubles, `first`, 2 × `first` … `longest`: five tries take 2.3 s on average, 4.5 s at most.
    """
    for number in range(tries - 1):
        yield jittered(min(longest, first * 2**number), random=random)
