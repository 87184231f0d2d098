"""All queues at once: where each stands, the sharing of the global cap, then each queue's decision.

The sum of held pods never exceeds the cap: a queue grows only into room that is free now, however large its share. A share moves
when two ticks in a row agree, so that a demand that comes and goes in one tick moves nobody.
"""

from collections.abc import Sequence
from math import inf

from msgspec.structs import replace

from taskfleet_operator.scaling.conclude import Allowance, conclude
from taskfleet_operator.scaling.decision import Decided
from taskfleet_operator.scaling.extremes import larger, smaller
from taskfleet_operator.scaling.fill import Claimant, fill
from taskfleet_operator.scaling.memory import ShareMemory
from taskfleet_operator.scaling.stand import QueueCase, Stand, stands
from taskfleet_operator.scaling.surplus.leavers import marked


def decide_fleet(
    cases: Sequence[QueueCase], *, global_max_replicas: int | None, now: float, held_elsewhere: int = 0
) -> tuple[Decided, ...]:
    """Decide all queues, in their order.

    `global_max_replicas` bounds the pods that all of them hold (None: no bound); `held_elsewhere` counts the pods of queues that
    cannot be seen now, which count too.
    """
    found = stands(cases, now=now)
    if global_max_replicas is None:
        return tuple(conclude(one, Allowance(), now=now) for one in found)
    cap = larger(0, global_max_replicas - held_elsewhere)
    found = [_sharing(one, share) for one, share in zip(found, _shares(found, cap), strict=True)]
    rooms = _rooms(found, cap)
    return tuple(conclude(one, Allowance(pods=one.memory.share.counts, room=room), now=now) for one, room in zip(found, rooms, strict=True))


def _shares(stands: Sequence[Stand], cap: int) -> Sequence[int | None]:
    """What each queue may hold; None where the cap is enough for all."""
    demands = [one.demand_pods for one in stands]
    if sum(demands) <= cap:
        return [None] * len(stands)
    return fill([_claimant(one, demand, one.policy.min_replicas) for one, demand in zip(stands, demands, strict=True)], cap)


def _sharing(one: Stand, computed: int | None) -> Stand:
    before = one.memory.share
    if before.computed == computed == before.counts:
        return one
    return replace(one, memory=replace(one.memory, share=_moved(before, computed)))


def _moved(before: ShareMemory, computed: int | None) -> ShareMemory:
    """The share that counts: it moves no further than two ticks in a row agree on. No share means no bound."""
    one, other = _bound(computed), _bound(before.computed)
    counts = larger(smaller(one, other), smaller(larger(one, other), _bound(before.counts)))
    return ShareMemory(counts=None if counts == inf else int(counts), computed=computed)


def _bound(share: int | None) -> float:
    return inf if share is None else share


def _rooms(stands: Sequence[Stand], cap: int) -> list[int]:
    """New replicas each queue may start now: the free room, by priority, then to whoever holds least for its weight."""
    held = [_held(one) for one in stands]
    room = larger(0, cap - sum(held))
    new = [_new(one) for one in stands]
    if sum(new) <= room:
        return new
    growing = [_claimant(one, now_held + more, now_held) for one, now_held, more in zip(stands, held, new, strict=True)]
    return [share - now_held for share, now_held in zip(fill(growing, sum(held) + room), held, strict=True)]


def _held(one: Stand) -> int:
    return larger(one.observation.held, one.observation.replicas)


def _new(one: Stand) -> int:
    """Replicas the queue would start now: marked workers come back first and need no room."""
    share = one.memory.share.counts
    goal = one.demand_pods if share is None else smaller(one.demand_pods, share)
    new = larger(0, goal - one.fleet.pods)
    return larger(0, new - len(marked(one.observation.workers))) if new else 0


def _claimant(one: Stand, demand: int, minimum: int) -> Claimant:
    policy = one.policy
    return Claimant(name=policy.queue, demand=demand, minimum=minimum, weight=policy.weight, priority=policy.priority)
