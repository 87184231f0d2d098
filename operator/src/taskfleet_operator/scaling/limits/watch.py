"""What the limits learn from a tick: the failure ceiling, the breakers of the kinds, the guard against useless slots."""

from collections.abc import Mapping

from msgspec.structs import replace

from taskfleet_operator.scaling.capacity import Capacity
from taskfleet_operator.scaling.estimates.learn import Learned
from taskfleet_operator.scaling.extremes import smaller
from taskfleet_operator.scaling.limits import breaker, guard, overload
from taskfleet_operator.scaling.limits.ceilings import Limit, slots_limit
from taskfleet_operator.scaling.memory import Memory
from taskfleet_operator.scaling.policy import ScalingPolicy
from taskfleet_operator.scaling.reasons import Reason


def watched(
    memory: Memory, learned: Learned, fleet: Capacity, policy: ScalingPolicy, *, allowed: Limit, now: float, waiting: float
) -> Memory:
    """The memory with the failure ceiling, the breakers and the guard after this tick; `allowed` is the lowest of the other ceilings."""
    shared = memory.share.counts
    allowed_pods = allowed.replicas if shared is None else smaller(allowed.replicas, shared)
    allowed_slots = allowed_pods * policy.slots_per_replica
    running = sum(fleet.running.values())
    good = overloaded = departed = 0
    useful = 0.0
    for one in learned.happened.values():
        good += one.succeeded + one.faulted
        overloaded += one.overloaded
        departed += one.departed
        useful += one.busy_seconds - one.overloaded_seconds
    tick = overload.Happened(good=good, overloaded=overloaded, useful_seconds=useful, running=running, seconds=learned.elapsed_seconds)
    share = policy.max_overload_percent / 100
    ceiling = overload.watch(memory.ceiling, tick, now=now, limit_share=share, allowed_slots=allowed_slots)
    kinds = dict(memory.kinds)
    for kind, one in learned.happened.items():
        kinds[kind] = breaker.watch(kinds[kind], one, now=now, allowed_slots=allowed_slots)
    seen = guard.Seen(
        running=running,
        finished=departed,
        seconds=learned.elapsed_seconds,
        backlog=waiting > 0,
        waiting=waiting,
        steady=fleet.starting == 0 and ceiling.slots is None and _alike(learned.estimates.service),
        full=fleet.pods >= allowed_pods,
        service_seconds=learned.estimates.typical_service_seconds,
        allowed_slots=allowed_slots,
    )
    return replace(memory, ceiling=ceiling, kinds=kinds, guard=guard.watch(memory.guard, seen, now=now))


def _alike(service: Mapping[str, float]) -> bool:
    """Whether all kinds take equally long."""
    return len(service) <= 1 or len(set(service.values())) <= 1


def failure_limits(memory: Memory, policy: ScalingPolicy) -> tuple[Limit, ...]:
    """The ceilings that failures and useless slots have set."""
    kept = guard.kept_slots(memory.guard)
    if memory.ceiling.slots is None and kept is None:
        return ()
    limits = []
    if memory.ceiling.slots is not None:
        limits.append(slots_limit(int(memory.ceiling.slots), policy, reason=Reason.FAILURE_CEILING, who="the failure ceiling"))
    if kept is not None:
        limits.append(slots_limit(int(kept), policy, reason=Reason.INEFFECTIVE_SCALE_UP, who="the guard against useless slots"))
    return tuple(limits)
