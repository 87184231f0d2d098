"""Waiting between tries: exponential with full jitter, bounded."""

from collections.abc import Iterator
from random import Random

_FIRST_SECONDS = 0.2
_LONGEST_SECONDS = 5.0


def pauses(tries: int, *, random: Random, first: float = _FIRST_SECONDS, longest: float = _LONGEST_SECONDS) -> Iterator[float]:
    """Seconds to wait after each try that failed: one fewer than there are tries.

    Full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015): clients that failed together do not come back together. At least
    half of each step, so that a bounded number of tries also spans some time: five tries take 1.5 to 3 s.
    """
    for number in range(tries - 1):
        step = min(longest, first * 2**number)
        yield random.uniform(step / 2, step)
