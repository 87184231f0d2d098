"""Weighted max-min water-filling: sharing a number of pods so that nobody can have more without taking from somebody poorer.

Worked example: 100 pods, weights 1, 1, 2, demands 200, 30, 60 → 25, 25, 50.
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heapreplace

from msgspec import Struct

from taskfleet_operator.scaling.extremes import larger, smaller

DUST = 1e-9


class Claimant(Struct, frozen=True, kw_only=True, gc=False):
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
    classes: dict[int, list[int]] = {}
    for index, claimant in enumerate(claimants):
        classes.setdefault(claimant.priority, []).append(index)
    for priority in sorted(classes, reverse=True):
        room -= _fill_class(claimants, shares, classes[priority], room)
    return shares


def _minima(claimants: Sequence[Claimant], cap: int) -> list[int]:
    """What everybody is sure of; if even that exceeds the cap, by priority, then name."""
    shares = [smaller(claimant.minimum, claimant.demand) for claimant in claimants]
    if sum(shares) <= cap:
        return shares
    room = cap
    for index in sorted(range(len(claimants)), key=lambda index: (-claimants[index].priority, claimants[index].name)):
        shares[index] = min(shares[index], room)
        room -= shares[index]
    return shares


def _fill_class(claimants: Sequence[Claimant], shares: list[int], indexes: list[int], room: int) -> int:
    """Give one class up to `room` pods; returns how many it took."""
    asked = sum(claimants[index].demand - shares[index] for index in indexes)
    if asked <= room:
        for index in indexes:
            shares[index] = claimants[index].demand
        return asked
    if room <= 0:
        return 0
    lacking = [index for index in indexes if shares[index] < claimants[index].demand]
    left = room - _raise(claimants, shares, lacking, room)
    _hand_out(claimants, shares, lacking, left)
    return room


def _raise(claimants: Sequence[Claimant], shares: list[int], lacking: Sequence[int], room: int) -> int:
    """Raise all to the common level that `room` fills; returns how many pods that took, a few less than there are."""
    level = _level(claimants, shares, lacking, room)
    taken = 0
    for index in lacking:
        raised = larger(shares[index], smaller(claimants[index].demand, int(level * claimants[index].weight)))
        taken += raised - shares[index]
        shares[index] = raised
    return taken


def _level(claimants: Sequence[Claimant], shares: Sequence[int], lacking: Sequence[int], room: int) -> float:
    """Pods for each unit of weight when `room` is poured in: a claimant rises from its share until it has its demand.

    The example: nobody has anything, so the level rises by one for every 4 pods; at 25 the 100 are gone.
    """
    bends = [(shares[index] / claimants[index].weight, claimants[index].weight) for index in lacking]
    bends += [(claimants[index].demand / claimants[index].weight, -claimants[index].weight) for index in lacking]
    bends.sort()
    level, rising, left, passed = 0.0, 0.0, float(room), 0
    while (poured := rising * (bends[passed][0] - level)) < left:
        left -= poured
        level = bends[passed][0]
        rising += bends[passed][1]
        passed += 1
    # A hair less: the dust of divisions must not make a pod that is not there; one that is missing is handed out.
    return (level + left / rising) * (1 - DUST)


def _hand_out(claimants: Sequence[Claimant], shares: list[int], lacking: Sequence[int], left: int) -> None:
    """One more to the poorest for its weight, as often as there is one left; names settle a tie."""
    poorest = [
        ((shares[index] + 1) / claimants[index].weight, claimants[index].name, index)
        for index in lacking
        if shares[index] < claimants[index].demand
    ]
    heapify(poorest)
    for _ in range(left):
        _, name, index = poorest[0]
        shares[index] += 1
        if shares[index] < claimants[index].demand:
            heapreplace(poorest, ((shares[index] + 1) / claimants[index].weight, name, index))
        else:
            heappop(poorest)
