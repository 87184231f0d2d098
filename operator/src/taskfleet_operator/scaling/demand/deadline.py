"""The deadline law: the slots that let every waiting task start in time, at the least pod-seconds.

Written in shares of the work instead of counts of tasks, so that kinds of very different length mix correctly. For one
kind, with r = q − c − idle·(1 + x/S) − starting·(1 + (x − D/2)⁺/S), it is the law r / (1 + (x − D)⁺/S): 100 tasks of 10 s that
must start within 60 s, no slots yet, 15 s to start a worker: 100 / (1 + 45/10) = 18.2 slots.
"""

from collections.abc import Iterable, Mapping
from math import sqrt

from msgspec import Struct

from taskfleet_operator.scaling.capacity import Capacity
from taskfleet_operator.scaling.demand.work import Due
from taskfleet_operator.scaling.extremes import larger, smaller

LUCK = 1.0
PRESSING_LUCK = 2.0
"""Standard deviations of a Poisson count that are not hoped for."""


class Supply(Struct, frozen=True, kw_only=True, gc=False):
    """What serves a lane: the slots there are, how long tasks and start-ups take."""

    capacity: Capacity
    service: Mapping[str, float]
    startup_seconds: float


class Claims(Struct, frozen=True, kw_only=True, gc=False):
    """What a lane gets of all starts."""

    usable: float = 1.0
    """Share of the starts of the slots there are."""
    promised_away: float = 0.0
    """Share of all starts, new slots included, that the other lane may take …"""
    other_tasks: float = 0.0
    """… for at most so many tasks."""


ALL = Claims()


class Need(Struct, frozen=True, kw_only=True, gc=False):
    """What a lane asks for."""

    new_slots: float
    """Slots missing."""
    due: Due | None = None
    """The work that asks for most."""


NOTHING = Need(new_slots=0.0)


def alone(due: Due, *, seconds: float, service: Mapping[str, float]) -> float:
    """Slots that start all this work on their own if each is free for `seconds`."""
    slots = 0.0
    for kind, count in due.counts.items():
        slots += count / starts(seconds, service[kind])
    return slots


def starts(seconds: float, service_seconds: float) -> float:
    """Tasks that a free slot starts within `seconds`: one, and one more for each service time.

    Below one service time the second is less likely than seconds/S, which would be right for exponential times only: twenty tasks of
    twenty minutes want twenty slots, whatever is left of the minute.
    """
    rounds = seconds / service_seconds
    return 1 + (rounds if rounds >= 1 else rounds * rounds)


def covered(due: Due, supply: Supply) -> float:
    """The share of the work that the slots there are will start in time; may exceed 1."""
    fleet, slack = supply.capacity, due.slack_seconds
    share = freed(due, supply)
    if fleet.idle:
        share += fleet.idle / alone(due, seconds=slack, service=supply.service)
    if fleet.starting:
        share += fleet.starting / alone(due, seconds=larger(0.0, slack - supply.startup_seconds / 2), service=supply.service)
    return share


def freed(due: Due, supply: Supply) -> float:
    """The share that running tasks make room for when they end, less the luck in it.

    A slot whose task is longer than the slack frees with probability x/S; one whose task is shorter is idle for x − S. Expecting c
    completions, c − √c are credited, c − 2√c where the work is pressing: ten slots held by 600 s tasks are no room for a 42 s deadline.
    """
    slack = due.slack_seconds
    completions = 0.0
    share = 0.0
    for kind, count in supply.capacity.busy.items():
        seconds = supply.service[kind]
        completions += count * slack / seconds
        free = larger(0.0, slack - seconds)
        share += count * smaller(1.0, slack / seconds) / alone(due, seconds=free, service=supply.service)
    luck = PRESSING_LUCK if due.pressing else LUCK
    if completions <= luck * luck:
        return 0.0
    return share * (1 - luck / sqrt(completions))


def need(dues: Iterable[Due], supply: Supply, claims: Claims = ALL) -> Need:
    """The slots missing for the work, over all its deadlines."""
    most = NOTHING
    for due in dues:
        if due.total > 0:
            one = _need_for(due, supply, claims)
            most = one if most.due is None or one.new_slots > most.new_slots else most
    return most


def _need_for(due: Due, supply: Supply, claims: Claims) -> Need:
    share = covered(due, supply) * claims.usable
    most_taken = claims.other_tasks / due.total
    taken = smaller(claims.promised_away * share, most_taken)
    # Of new slots the other lane takes its part too, until all its tasks are served.
    worth = 1 - claims.promised_away if taken < most_taken else 1.0
    missing = 1 - (share - taken)
    if missing <= 0:
        return Need(new_slots=0.0, due=due)
    return Need(new_slots=_new_slots(due, supply, share=missing / worth), due=due)


def _new_slots(due: Due, supply: Supply, *, share: float) -> float:
    """Slots that have yet to start, for a share of the work; of a kind no more than its quota has room for."""
    seconds = larger(0.0, due.slack_seconds - supply.startup_seconds)
    slots = 0.0
    for kind, count in due.counts.items():
        new = share * count / starts(seconds, supply.service[kind])
        slots += smaller(new, due.room.get(kind, new))
    return slots
