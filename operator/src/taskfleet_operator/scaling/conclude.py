"""The last steps of a decision: ceilings, stop policy, behavior, pause; then who leaves, who comes back, and the words for it."""

from math import ceil, inf

from msgspec import Struct
from msgspec.structs import replace

from taskfleet_operator.scaling.decision import Decided, Decision, Step
from taskfleet_operator.scaling.explain import Sentence
from taskfleet_operator.scaling.extremes import larger, smaller
from taskfleet_operator.scaling.limits import behavior, guard
from taskfleet_operator.scaling.limits.ceilings import Limit, global_limit, lowest
from taskfleet_operator.scaling.limits.contest import contested
from taskfleet_operator.scaling.memory import BehaviorMemory, Memory
from taskfleet_operator.scaling.policy import AUTO, HOLD, HOLD_AND_DRAIN, NOT_STOPPED, Direction
from taskfleet_operator.scaling.reasons import Reason
from taskfleet_operator.scaling.stand import Stand
from taskfleet_operator.scaling.surplus.leavers import Bounds, Crew, fewer, more, swap

GATES = frozenset({Reason.KIND_QUOTA, Reason.KIND_RATE, Reason.BREAKER_OPEN})


NOBODY = Crew()


class Allowance(Struct, frozen=True, kw_only=True, gc=False):
    """What the global cap leaves for one queue."""

    pods: int | None = None
    """Its share; None: the cap does not bind."""
    room: int | None = None
    """New replicas it may start now; None: any."""


class Aim(Struct, frozen=True, kw_only=True, gc=False):
    """Where the fleet is heading, and what turned it there."""

    pods: int
    ceiling: int
    reason: Reason
    limited_by: Reason | None
    steps: tuple[Step, ...]


def conclude(stand: Stand, allowance: Allowance, *, now: float) -> Decided:
    """Turn a stand into a decision, within what the global cap allows."""
    ceiled = _ceiled(stand, allowance)
    wishes = behavior.wished(stand.policy.behavior, stand.memory.behavior, desired=ceiled.pods, now=now)
    aim = _aim(stand, ceiled, wishes, now=now)
    contest = contested(stand.memory.contest, foreign_change=stand.observation.foreign_change, now=now)
    applied = stand.policy.mode is AUTO and not contest.hands_off
    crew = _crew(stand, aim) if applied else NOBODY
    grow = _granted(stand, crew, allowance)
    if grow < crew.grow:
        if allowance.room == grow:
            did = f"the global cap has room for {grow} of {crew.grow} new replicas now"
            aim = _turned(aim, aim.pods, reason=Reason.GLOBAL_CAP, did=did)
        crew = replace(crew, grow=grow)
    decision = _decision(stand, aim, crew, applied=applied)
    if contest.hands_off:
        decision = _hands_off(decision)
    events = behavior.changed(stand.policy.behavior, wishes, change=grow - len(crew.drain) - crew.surplus_starting, now=now)
    unused = stand.memory.unused.lowered(_given_up(stand, crew))
    return Decided(decision=decision, memory=replace(stand.memory, unused=unused, behavior=events, contest=contest.memory))


def _given_up(stand: Stand, crew: Crew) -> int:
    """Slots that are on their way out from now on."""
    starting = crew.surplus_starting * stand.policy.slots_per_replica
    if not crew.drain:
        return starting
    return starting + sum(worker.slots for worker in stand.observation.workers if worker.session_id in crew.drain)


def _granted(stand: Stand, crew: Crew, allowance: Allowance) -> int:
    """New replicas that may start now: those that are still leaving count against maxReplicas and the cap until they are gone."""
    if not crew.grow:
        return 0
    room = stand.policy.max_replicas - stand.observation.replicas + len(crew.removable) + crew.surplus_starting
    if allowance.room is not None:
        room = smaller(room, allowance.room)
    return larger(0, smaller(crew.grow, room))


def _ceiled(stand: Stand, allowance: Allowance) -> Aim:
    """The wanted replicas under all ceilings."""
    limits: tuple[Limit, ...] = (stand.limit,)
    if allowance.pods is not None:
        limits = (*limits, global_limit(allowance.pods))
    binding = lowest(limits)
    wanted = larger(stand.wanted_pods, stand.policy.min_replicas)
    pods = int(smaller(wanted, binding.replicas))
    capped = pods < wanted or _gated(stand, binding, pods)
    step = Step(
        name="ceilings", clause=binding.did, slots=float(pods * stand.policy.slots_per_replica), reason=binding.reason if capped else None
    )
    return Aim(
        pods=pods,
        ceiling=int(binding.replicas),
        reason=binding.reason if capped else _own_reason(stand, pods),
        limited_by=binding.reason if capped else None,
        steps=(*stand.want.steps, *stand.leave.steps, step),
    )


def _gated(stand: Stand, binding: Limit, pods: int) -> bool:
    """Whether quotas, rates or breakers let only a part of the waiting tasks be demand, and the fleet has all they can use."""
    return binding.reason in GATES and pods >= binding.replicas and stand.work.waiting > ceil(stand.work.total)


def _own_reason(stand: Stand, pods: int) -> Reason:
    """Why a fleet that no ceiling holds down has its size."""
    if stand.observation.paused:
        return Reason.PAUSED
    if pods < stand.fleet.pods:
        return stand.leave.reason
    if pods == stand.policy.min_replicas > 0 and stand.want.reason is Reason.STEADY:
        return Reason.MIN_REPLICAS
    return stand.want.reason


def _aim(stand: Stand, aim: Aim, wishes: BehaviorMemory, *, now: float) -> Aim:
    """The aim after the rules that people set: stop, behavior, pause."""
    pods = stand.fleet.pods
    if stand.policy.stop is HOLD:
        return _turned(aim, pods, reason=Reason.HELD, did="stopPolicy is Hold: no claims, the replicas stay")
    if stand.policy.stop is HOLD_AND_DRAIN:
        return replace(_turned(aim, 0, reason=Reason.HELD, did="stopPolicy is HoldAndDrain: no claims, then no replicas"), ceiling=0)
    slower = behavior.limited(stand.policy.behavior, wishes, desired=aim.pods, replicas=pods, now=now)
    if slower != aim.pods:
        aim = _turned(aim, slower, reason=Reason.STABILIZED, did=f"scaling.behavior makes {aim.pods} replicas {slower} for now")
    if aim.pods < pods and Direction.IN in stand.policy.pause:
        return _turned(aim, pods, reason=Reason.PAUSED, did="scaling.pause contains In: no scale-down")
    if aim.pods > pods and Direction.OUT in stand.policy.pause:
        return _turned(aim, pods, reason=Reason.PAUSED, did="scaling.pause contains Out: no scale-up")
    return aim


def _turned(aim: Aim, pods: int, *, reason: Reason, did: str) -> Aim:
    limited = reason if reason.is_limit and pods < aim.pods else aim.limited_by
    step = Step(name="rules", clause=did, reason=reason)
    return Aim(pods=pods, ceiling=aim.ceiling, reason=reason, limited_by=limited, steps=(*aim.steps, step))


def _crew(stand: Stand, aim: Aim) -> Crew:
    pods = stand.fleet.pods
    if aim.pods > pods:
        return more(stand.observation, pods=aim.pods - pods)
    if aim.pods < pods and not stand.observation.rollout:
        bounds = Bounds(pods=aim.ceiling, slots=stand.fleet.slots - stand.leave.slots, least_pods=aim.pods)
        return fewer(stand.observation, bounds, slots_per_pod=stand.policy.slots_per_replica)
    return swap(stand.observation, NOBODY)


def _decision(stand: Stand, aim: Aim, crew: Crew, *, applied: bool) -> Decision:
    replicas = stand.observation.replicas + crew.grow - len(crew.removable) - crew.surplus_starting
    return Decision(
        queue=stand.observation.queue,
        wanted=stand.wanted_pods,
        desired=aim.pods,
        replicas=larger(0, replicas),
        drain=crew.drain,
        undrain=crew.undrain,
        removable=crew.removable,
        surplus_starting=crew.surplus_starting,
        claim_ceiling=_claim_ceiling(stand.memory) if applied else None,
        kind_ceilings=_kind_ceilings(stand.memory) if applied else {},
        hold_claims=stand.policy.stop is not NOT_STOPPED,
        applied=applied,
        goal_reachable=stand.goal_reachable,
        reason=aim.reason if applied else Reason.RECOMMEND,
        said=Sentence(stand=stand, reason=aim.reason, desired=aim.pods, limit=aim.limited_by, applied=applied),
        limited_by=aim.limited_by,
        steps=aim.steps,
    )


def _claim_ceiling(memory: Memory) -> int | None:
    ceiling, gate = memory.ceiling.slots, guard.gate(memory.guard)
    if ceiling is None and gate is None:
        return None
    return larger(1, int(smaller(inf if ceiling is None else ceiling, inf if gate is None else gate)))


def _kind_ceilings(memory: Memory) -> dict[str, int]:
    return {kind: known.breaker.slots for kind, known in memory.kinds.items() if known.breaker is not None}


def _hands_off(decision: Decision) -> Decision:
    message = f"somebody else keeps changing the replicas; they are left alone for ten minutes instead of making them {decision.desired}"
    return replace(decision, reason=Reason.REPLICAS_CONTESTED, said=message)
