"""Weighted max-min water-filling: sharing a number of pods so that nobody can have more without taking from somebody poorer.

Worked example: 100 pods, weights 1, 1, 2, demands 200, 30, 60 → 25, 25, 50.
"""

from collections.abc import Sequence
from itertools import groupby

from msgspec import Struct


class Claimant(Struct, frozen=True, kw_only=True):
    """Somebody who asks for pods."""

    name: str
    demand: int
    minimum: int = 0
    weight: float = 1.0
    priority: int = 0
    """Higher classes are filled before lower ones get more than their minima."""


def fill(claimants: Sequence[Claimant], cap: int) -> list[int]:
    """The pods each claimant gets, in their order: minima first, then always one more to the poorest of the highest class."""
    shares = _minima(claimants, cap)
    room = cap - sum(shares)
    by_class = sorted(range(len(claimants)), key=lambda index: -claimants[index].priority)
    for _, indexes in groupby(by_class, key=lambda index: claimants[index].priority):
        room -= _fill_class(claimants, shares, list(indexes), room)
    return shares


def _minima(claimants: Sequence[Claimant], cap: int) -> list[int]:
    """What everybody is sure of; if even that exceeds the cap, by priority, then name."""
    shares = [min(claimant.minimum, claimant.demand) for claimant in claimants]
    if sum(shares) <= cap:
        return shares
    room = cap
    for index in sorted(range(len(claimants)), key=lambda index: (-claimants[index].priority, claimants[index].name)):
        shares[index] = min(shares[index], room)
        room -= shares[index]
    return shares


def _fill_class(claimants: Sequence[Claimant], shares: list[int], indexes: list[int], room: int) -> int:
    """Give one class up to `room` pods; returns how many it took."""
    lacking = sum(claimants[index].demand - shares[index] for index in indexes)
    if lacking <= room:
        for index in indexes:
            shares[index] = claimants[index].demand
        return lacking
    if room <= 0:
        return 0
    before = sum(shares[index] for index in indexes)
    _raise_level(claimants, shares, indexes, room)
    left = room - (sum(shares[index] for index in indexes) - before)
    _hand_out(claimants, shares, indexes, left)
    return room


def _raise_level(claimants: Sequence[Claimant], shares: list[int], indexes: list[int], room: int) -> None:
    """Raise all to the highest common level that fits: the same as one by one, without counting to ten thousand."""
    before = sum(shares[index] for index in indexes)
    low, high = 0.0, max(claimants[index].demand / claimants[index].weight for index in indexes)
    for _ in range(60):
        level = (low + high) / 2
        if sum(_at_level(claimants[index], shares[index], level) for index in indexes) - before <= room:
            low = level
        else:
            high = level
    for index in indexes:
        shares[index] = _at_level(claimants[index], shares[index], low)


def _at_level(claimant: Claimant, share: int, level: float) -> int:
    return max(share, min(claimant.demand, int(level * claimant.weight)))


def _hand_out(claimants: Sequence[Claimant], shares: list[int], indexes: list[int], left: int) -> None:
    """One more to each of the poorest for their weight; names settle a tie. Nobody gets two: the level would have been higher."""
    lacking = [index for index in indexes if shares[index] < claimants[index].demand]
    lacking.sort(key=lambda index: ((shares[index] + 1) / claimants[index].weight, claimants[index].name))
    for index in lacking[:left]:
        shares[index] += 1
