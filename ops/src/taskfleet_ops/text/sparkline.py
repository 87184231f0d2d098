"""A row of small bars: the shape of a series in one line."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

_BARS: Final = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], *, width: int = 60) -> str:
    """The series as at most `width` bars, scaled from 0 to its largest value; neighbours are averaged when there are more.

    >>> sparkline([0, 1, 2, 4, 8])
    '▁▁▂▄█'
    """
    series = resampled(values, width=width)
    top = max(series, default=0.0)
    if top <= 0:
        return _BARS[0] * len(series)
    return "".join(_BARS[round(max(value, 0.0) / top * (len(_BARS) - 1))] for value in series)


def resampled(values: Sequence[float], *, width: int) -> Sequence[float]:
    """At most `width` means of neighbouring values."""
    if len(values) <= width:
        return values
    edges = [place * len(values) // width for place in range(width + 1)]
    return [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
