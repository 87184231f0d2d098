"""The larger and the smaller of two numbers, as `max` and `min` say, ties included.

A decision compares some fifty pairs of numbers, and the built-ins take 217 ns for a pair where these take 66 (Python 3.11).
"""

from typing import TypeVar

Number = TypeVar("Number", int, float)


def larger(one: Number, other: Number) -> Number:
    """The larger of two."""
    return other if other > one else one  # noqa: FURB136


def smaller(one: Number, other: Number) -> Number:
    """The smaller of two."""
    return other if other < one else one  # noqa: FURB136
