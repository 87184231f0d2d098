"""What arrivals ask for: the slots they keep busy, the idle ones worth keeping, and what a goal shorter than a start-up needs there."""

from collections.abc import Mapping
from math import ceil, exp, inf, sqrt

from msgspec import Struct

from taskfleet_operator.scaling.estimates.learn import Estimates
from taskfleet_operator.scaling.extremes import larger, smaller
from taskfleet_operator.scaling.policy import ScalingPolicy

SHORT_GOAL = 1.1
"""A goal below so many leads cannot wait for a new worker."""
LATE_SHARE = 0.05
REHIRED_SHARE = 0.2


class Arriving(Struct, frozen=True, kw_only=True, gc=False):
    """What the arrivals of a queue ask for, in slots."""

    load: float = 0.0
    """a: kept busy on average, Σ min(λ·S, quota, rate·S)."""
    keep: int = 0
    """Worth keeping though idle at times: a slot that will be needed again sooner than a restart takes."""
    floor: float = 0.0
    """Kept whatever waits now."""
    rate: float = 0.0
    """λ: tasks a second."""


NOTHING = Arriving()


def arriving(
    policy: ScalingPolicy,
    estimates: Estimates,
    *,
    breakers: Mapping[str, int],
    planned_wait_seconds: float,
    paused_kinds: frozenset[str] = frozenset(),
) -> Arriving:
    """Judge the arrivals of all kinds that are not paused."""
    rates = estimates.rates
    if paused_kinds:
        rates = {kind: rate for kind, rate in rates.items() if kind not in paused_kinds}
    if not rates:
        return NOTHING
    load, rate = _load(rates, policy, estimates, breakers), sum(rates.values())
    seconds, startup = load / rate, estimates.startup_seconds
    if policy.max_wait_seconds > SHORT_GOAL * estimates.lead_seconds:
        spare_wait = larger(0.0, planned_wait_seconds - estimates.lead_seconds)
        most = erlang_slots(load, wait_seconds=spare_wait, service_seconds=seconds, late_share=REHIRED_SHARE)
        keep = worth_keeping(rate, service_seconds=seconds, startup_seconds=startup, most=most)
        return Arriving(load=load, keep=keep, floor=smaller(load, keep), rate=rate)
    there = erlang_slots(load, wait_seconds=planned_wait_seconds, service_seconds=seconds)
    keep = worth_keeping(rate, service_seconds=seconds, startup_seconds=startup)
    return Arriving(load=load, keep=larger(keep, there), floor=float(there), rate=rate)


def worth_keeping(rate: float, *, service_seconds: float, startup_seconds: float, most: float = inf) -> int:
    """The slots that arrivals need again before a new worker could be up, if every task starts at once; `most` of them.

    The m-th slot is needed again after h_m = (1 + (m − 1)·h_{m−1}/S) / λ on average (the time an M/M/∞ queue takes from m − 1 to m
    busy); it is kept while h_m <= D. About a + 2√a for short tasks: 3.8 tasks a second of 6 s with a 15 s start-up are worth 32 slots.
    One task of ten minutes a minute is worth none: it takes longer until the next than to start a worker.
    """
    slots, again = 0, 1 / rate
    while again <= startup_seconds and slots < most:
        slots += 1
        again = (1 + slots * again / service_seconds) / rate
    return slots


def erlang_slots(load: float, *, wait_seconds: float, service_seconds: float, late_share: float = LATE_SHARE) -> int:
    """The smallest number of slots with which at most 5 % wait longer than `wait_seconds` (Erlang C, M/M/n).

    A load of 10 with nobody willing to wait: 17 slots; that is 10 + 2.2·√10.
    """
    slots = larger(1, ceil(load + 1e-9))
    most = ceil(load + 4 * sqrt(load) + 4)
    wait = wait_seconds / service_seconds
    while slots < most and not _suffice(slots, load, wait, late_share):
        slots += 1
    return slots


def erlang_c(slots: int, load: float) -> float:
    """The probability that a task has to wait; 1 when the load is at least the slots."""
    if load >= slots:
        return 1.0
    blocking = 1.0
    for busy in range(1, slots + 1):
        blocking = load * blocking / (busy + load * blocking)
    return blocking / (1 - load / slots * (1 - blocking))


def _load(rates: Mapping[str, float], policy: ScalingPolicy, estimates: Estimates, breakers: Mapping[str, int]) -> float:
    limits = {kind.kind: kind for kind in policy.kinds} if policy.kinds else {}
    load = 0.0
    for kind, rate in rates.items():
        seconds = estimates.service[kind]
        useful = smaller(rate * seconds, breakers.get(kind, inf))
        limit = limits.get(kind)
        if limit is not None and limit.max_concurrent is not None:
            useful = smaller(useful, limit.max_concurrent)
        if limit is not None and limit.starts_per_second is not None:
            useful = smaller(useful, limit.starts_per_second * seconds)
        load += useful
    return load


def _suffice(slots: int, load: float, wait_in_service_times: float, late_share: float) -> bool:
    """Whether few enough wait too long. Of those who wait at all; if that is few enough already, nobody asks how many do."""
    wait_too_long = exp(-(slots - load) * wait_in_service_times)
    return wait_too_long <= late_share or erlang_c(slots, load) * wait_too_long <= late_share
