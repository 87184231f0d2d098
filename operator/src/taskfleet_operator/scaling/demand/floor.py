"""The rate floor: the slots that arrivals keep busy, and for goals shorter than a start-up the slots that must be there already."""

from collections.abc import Mapping
from math import ceil, exp, inf, sqrt

from taskfleet_operator.scaling.estimates.learn import Estimates
from taskfleet_operator.scaling.policy import ScalingPolicy

SHORT_GOAL = 1.1
"""A goal below so many leads cannot wait for a new worker."""
LATE_SHARE = 0.05


def offered_load(
    policy: ScalingPolicy, estimates: Estimates, *, breakers: Mapping[str, int], paused_kinds: frozenset[str] = frozenset()
) -> float:
    """Slots that arrivals keep busy: Σ min(λ·S, quota, rate·S)."""
    limits = {kind.kind: kind for kind in policy.kinds}
    load = 0.0
    for kind, rate in estimates.rates.items():
        if kind in paused_kinds:
            continue
        seconds = estimates.service[kind]
        useful = rate * seconds
        limit = limits.get(kind)
        if limit is not None:
            by_quota = inf if limit.max_concurrent is None else limit.max_concurrent
            by_rate = inf if limit.starts_per_second is None else limit.starts_per_second * seconds
            useful = min(useful, by_quota, by_rate)
        load += min(useful, breakers.get(kind, inf))
    return load


def rate_floor(load: float, policy: ScalingPolicy, estimates: Estimates, *, planned_wait_seconds: float) -> float:
    """The slots to keep whatever waits now."""
    if load <= 0 or policy.max_wait_seconds > SHORT_GOAL * estimates.lead_seconds:
        return load
    return max(load, float(erlang_slots(load, wait_seconds=planned_wait_seconds, service_seconds=estimates.typical_service_seconds)))


def erlang_slots(load: float, *, wait_seconds: float, service_seconds: float) -> int:
    """The smallest number of slots with which at most 5 % wait longer than `wait_seconds` (Erlang C, M/M/n).

    A load of 10 with nobody willing to wait: 17 slots; that is 10 + 2.2·√10.
    """
    slots = max(1, ceil(load + 1e-9))
    most = ceil(load + 4 * sqrt(load) + 4)
    while slots < most and _late_share(slots, load, wait_seconds / service_seconds) > LATE_SHARE:
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


def _late_share(slots: int, load: float, wait_in_service_times: float) -> float:
    return erlang_c(slots, load) * exp(-(slots - load) * wait_in_service_times)
