"""Where a queue stands before the global cap is shared out: what it wants, what may leave, what its own limits allow."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from taskfleet_operator.scaling.capacity import Capacity, capacity
from taskfleet_operator.scaling.demand.floor import NOTHING, Arriving, arriving
from taskfleet_operator.scaling.demand.want import Want, pods_for, want
from taskfleet_operator.scaling.demand.work import SAFETY, Work, admissible_work, least_slack
from taskfleet_operator.scaling.estimates.learn import Estimates, Learned, learn
from taskfleet_operator.scaling.limits import breaker, guard, overload
from taskfleet_operator.scaling.limits.ceilings import Limit, lowest, own_limits, slots_limit
from taskfleet_operator.scaling.memory import KindMemory, Memory
from taskfleet_operator.scaling.observation import QueueObservation
from taskfleet_operator.scaling.policy import Mode, ScalingPolicy, StopPolicy
from taskfleet_operator.scaling.reasons import Reason
from taskfleet_operator.scaling.surplus.leave import Leave, Scene, leave
from taskfleet_operator.scaling.surplus.leavers import marked


class Stand(Struct, frozen=True, kw_only=True):
    """Where one queue stands."""

    observation: QueueObservation
    policy: ScalingPolicy
    memory: Memory
    """As it will be remembered, but for what the last steps add."""
    estimates: Estimates
    fleet: Capacity
    work: Work
    arriving: Arriving
    want: Want
    leave: Leave
    wanted_pods: int
    """Replicas the work asks for, before any ceiling."""
    limit: Limit
    """The lowest of the queue's own ceilings."""
    goal_reachable: bool

    @property
    def demand_pods(self) -> int:
        """What the queue asks of the global cap; one that is not scaled now asks for what it has."""
        if self.policy.stop is StopPolicy.HOLD_AND_DRAIN:
            return 0
        if self.policy.mode is Mode.RECOMMEND or self.policy.stop is StopPolicy.HOLD:
            return self.fleet.pods
        return int(min(max(self.wanted_pods, self.policy.min_replicas), self.limit.replicas))


class Asked(Struct, frozen=True):
    """What the law was asked."""

    observation: QueueObservation
    policy: ScalingPolicy
    estimates: Estimates
    work: Work
    arriving: Arriving


def stand(observation: QueueObservation, policy: ScalingPolicy, memory: Memory, *, now: float) -> Stand:
    """Work out where a queue stands at `now`."""
    learned = learn(observation, policy, memory, now=now)
    estimates, fleet = learned.estimates, capacity(observation, policy)
    breakers = _breakers(learned.kinds)
    work = admissible_work(observation, policy, estimates, running=fleet.running, breakers=breakers)
    stopped = observation.paused or policy.stop is not StopPolicy.NONE
    wave = NOTHING if stopped else _arriving(observation, policy, estimates, breakers)
    wanted = want(work, policy, estimates, fleet, wave)
    left = leave(Scene(work=work, policy=policy, estimates=estimates, fleet=fleet, arriving=wave), wanted, memory, now=now)
    limits = own_limits(observation, policy, estimates, breakers=breakers)
    memory = replace(memory, decided_at=now, kinds=learned.kinds, startups=learned.startups, unused=left.unused, tapered=left.tapered)
    if policy.mode is Mode.AUTO:
        memory = _watched(memory, learned, fleet, policy, allowed=lowest(limits), now=now, backlog=work.total > 0)
    limits = (*limits, *_failure_limits(memory, policy))
    return Stand(
        observation=observation,
        policy=policy,
        memory=memory,
        estimates=estimates,
        fleet=fleet,
        work=work,
        arriving=wave,
        want=wanted,
        leave=left,
        wanted_pods=_wanted_pods(Asked(observation, policy, estimates, work, wave), fleet, wanted, left),
        limit=lowest(limits),
        goal_reachable=SAFETY * policy.max_wait_seconds >= least_slack(policy, estimates),
    )


def _arriving(observation: QueueObservation, policy: ScalingPolicy, estimates: Estimates, breakers: Mapping[str, int]) -> Arriving:
    planned = SAFETY * policy.max_wait_seconds
    return arriving(policy, estimates, breakers=breakers, planned_wait_seconds=planned, paused_kinds=observation.paused_kinds)


def _wanted_pods(asked: Asked, fleet: Capacity, wanted: Want, left: Leave) -> int:
    """The replicas that the wanted slots are: marked workers are taken back first, and they count with what they really can do."""
    per_pod = asked.policy.slots_per_replica
    if wanted.panicking:
        return max(fleet.pods, asked.policy.max_replicas)
    reversible = marked(asked.observation.workers)
    back = 0
    while (lacking := pods_for(wanted.slots - fleet.slots, per_pod)) > 0 and back < len(reversible):
        back += min(lacking, len(reversible) - back)
        taken_back = {worker.session_id for worker in reversible[:back]}
        fleet = capacity(asked.observation, asked.policy, taken_back=taken_back)
        wanted = want(asked.work, asked.policy, asked.estimates, fleet, asked.arriving)
    return fleet.pods + lacking if lacking > 0 else fleet.pods - left.slots // per_pod


def _breakers(kinds: Mapping[str, KindMemory]) -> dict[str, int]:
    return {kind: known.breaker.slots for kind, known in kinds.items() if known.breaker is not None}


def _watched(
    memory: Memory, learned: Learned, fleet: Capacity, policy: ScalingPolicy, *, allowed: Limit, now: float, backlog: bool
) -> Memory:
    """The failure ceiling, the breakers and the guard after this tick."""
    shared = memory.share.counts
    allowed_pods = allowed.replicas if shared is None else min(allowed.replicas, shared)
    allowed_slots = allowed_pods * policy.slots_per_replica
    running = sum(fleet.running.values())
    happened = learned.happened.values()
    useful = sum(one.busy_seconds - one.overloaded_seconds for one in happened)
    tick = overload.Happened(
        good=sum(one.succeeded + one.faulted for one in happened),
        overloaded=sum(one.overloaded for one in happened),
        useful_seconds=useful,
        running=running,
        seconds=learned.elapsed_seconds,
    )
    share = policy.max_overload_percent / 100
    ceiling = overload.watch(memory.ceiling, tick, now=now, limit_share=share, allowed_slots=allowed_slots)
    kinds = dict(memory.kinds)
    for kind, one in learned.happened.items():
        kinds[kind] = breaker.watch(kinds[kind], one, now=now, allowed_slots=allowed_slots)
    seen = guard.Seen(
        running=running,
        finished=sum(one.departed for one in happened),
        seconds=learned.elapsed_seconds,
        backlog=backlog,
        steady=fleet.starting == 0 and ceiling.slots is None and len(set(learned.estimates.service.values())) <= 1,
        full=fleet.pods >= allowed_pods,
        service_seconds=learned.estimates.typical_service_seconds,
        allowed_slots=allowed_slots,
    )
    return replace(memory, ceiling=ceiling, kinds=kinds, guard=guard.watch(memory.guard, seen, now=now))


def _failure_limits(memory: Memory, policy: ScalingPolicy) -> tuple[Limit, ...]:
    limits = []
    if memory.ceiling.slots is not None:
        limits.append(slots_limit(int(memory.ceiling.slots), policy, reason=Reason.FAILURE_CEILING, who="the failure ceiling"))
    kept = guard.kept_slots(memory.guard)
    if kept is not None:
        limits.append(slots_limit(int(kept), policy, reason=Reason.INEFFECTIVE_SCALE_UP, who="the guard against useless slots"))
    return tuple(limits)
