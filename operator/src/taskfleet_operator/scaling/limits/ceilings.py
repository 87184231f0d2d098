"""Ceilings: the most replicas that limits, quotas and a failing downstream allow. They only lower what earlier steps want."""

from collections.abc import Mapping
from functools import lru_cache
from math import ceil, inf

from msgspec import Struct

from taskfleet_operator.scaling.estimates.learn import Estimates
from taskfleet_operator.scaling.observation import QueueObservation
from taskfleet_operator.scaling.policy import KindLimits, ScalingPolicy
from taskfleet_operator.scaling.reasons import Reason

ROUNDING = 1e-9


class Limit(Struct, frozen=True, kw_only=True, gc=False):
    """An upper bound in replicas, and who sets it."""

    replicas: float
    reason: Reason
    did: str


def own_limits(
    observation: QueueObservation, policy: ScalingPolicy, estimates: Estimates, *, breakers: Mapping[str, int]
) -> tuple[Limit, ...]:
    """The limits that the queue's own spec and its kinds set, most telling first."""
    maximum = _maximum(policy.max_replicas)
    if policy.max_concurrent is None and not policy.kinds and not breakers:
        return (maximum,)
    limits = [maximum]
    if policy.max_concurrent is not None:
        limits.append(slots_limit(policy.max_concurrent, policy, reason=Reason.KIND_QUOTA, who="maxConcurrent"))
    if policy.kinds or breakers:
        limits.extend(_kind_limit(observation, policy, estimates, breakers=breakers))
    return tuple(limits)


@lru_cache(maxsize=4096)
def global_limit(share: int) -> Limit:
    """A queue's share of the global cap."""
    return Limit(replicas=share, reason=Reason.GLOBAL_CAP, did=f"the share of the global cap is {share}")


@lru_cache(maxsize=4096)
def _maximum(replicas: int) -> Limit:
    return Limit(replicas=replicas, reason=Reason.MAX_REPLICAS, did=f"maxReplicas allows {replicas}")


def slots_limit(slots: float, policy: ScalingPolicy, *, reason: Reason, who: str) -> Limit:
    """A ceiling in slots as whole replicas."""
    replicas = ceil(slots / policy.slots_per_replica - ROUNDING)
    return Limit(replicas=replicas, reason=reason, did=f"{who} allows {slots:,.0f} slots, {policy.slots_per_replica} a replica: {replicas}")


def lowest(limits: tuple[Limit, ...]) -> Limit:
    """The ceiling that binds; the first listed wins a tie, so list them by what a person should hear first."""
    binding = limits[0]
    for limit in limits[1:]:
        if limit.replicas < binding.replicas:
            binding = limit
    return binding


def useful_slots(limit: KindLimits | None, *, service_seconds: float, breaker: int | None) -> "Useful":
    """Slots a kind can keep busy: min(quota, ⌈rate·S⌉), or the breaker's probe. A rate of 2 a second at 10 s feeds 20."""
    best = Useful(slots=inf, reason=Reason.KIND_QUOTA)
    if limit is not None and limit.max_concurrent is not None:
        best = Useful(slots=limit.max_concurrent, reason=Reason.KIND_QUOTA)
    if limit is not None and limit.starts_per_second is not None:
        by_rate = ceil(limit.starts_per_second * service_seconds - ROUNDING)
        if by_rate < best.slots:
            best = Useful(slots=by_rate, reason=Reason.KIND_RATE)
    if breaker is not None and breaker < best.slots:
        best = Useful(slots=breaker, reason=Reason.BREAKER_OPEN)
    return best


class Useful(Struct, frozen=True, kw_only=True, gc=False):
    """Slots that one kind can use, and what bounds them."""

    slots: float
    reason: Reason


def _kind_limit(
    observation: QueueObservation, policy: ScalingPolicy, estimates: Estimates, *, breakers: Mapping[str, int]
) -> tuple[Limit, ...]:
    """What all kinds with work can keep busy together; nothing while one of them is unlimited."""
    limits = {kind.kind: kind for kind in policy.kinds}
    working = {bucket.kind for bucket in observation.ready if bucket.count} | {tasks.kind for tasks in observation.running if tasks.count}
    total = 0.0
    largest = Useful(slots=-1, reason=Reason.KIND_QUOTA)
    for kind in sorted(working):
        useful = useful_slots(limits.get(kind), service_seconds=estimates.service[kind], breaker=breakers.get(kind))
        if useful.slots == inf:
            return ()
        total += useful.slots
        largest = max(largest, useful, key=lambda one: one.slots)
    if not working:
        return ()
    return (slots_limit(total, policy, reason=largest.reason, who=f"what {len(working)} kinds may run"),)
