"""Where a queue stands before the global cap is shared out: what it wants, what may leave, what its own limits allow.

`STEPS` is the chain, in the order that a reader expects. All queues of a batch take one step before any of them takes the next.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from taskfleet_operator.scaling.capacity import Capacity, capacity
from taskfleet_operator.scaling.demand.floor import NOTHING, Arriving, arriving
from taskfleet_operator.scaling.demand.want import Want, pods_for, want
from taskfleet_operator.scaling.demand.work import SAFETY, Work, admissible_work, least_slack
from taskfleet_operator.scaling.estimates.learn import Estimates, Learned, learn
from taskfleet_operator.scaling.extremes import larger, smaller
from taskfleet_operator.scaling.limits.ceilings import Limit, lowest, own_limits
from taskfleet_operator.scaling.limits.watch import failure_limits, watched
from taskfleet_operator.scaling.memory import Memory
from taskfleet_operator.scaling.observation import QueueObservation
from taskfleet_operator.scaling.policy import AUTO, HOLD, HOLD_AND_DRAIN, NOT_STOPPED, RECOMMEND, ScalingPolicy
from taskfleet_operator.scaling.surplus.leave import Leave, Scene, leave
from taskfleet_operator.scaling.surplus.leavers import marked

BATCH = 64
"""Queues that take each step together. Code that runs again at once runs nearly twice as fast (its branches are foreseen), as long as
what the queues bring along fits the processor's cache: one at a time 100 µs a queue, 8 together 76, 32 to 128 50, 1,000 52 to 70."""


class QueueCase(Struct, frozen=True, kw_only=True, gc=False):
    """One queue to decide: what was seen, what is asked for, what is remembered."""

    observation: QueueObservation
    policy: ScalingPolicy
    memory: Memory


class Stand(Struct, frozen=True, kw_only=True, gc=False):
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
    demand_pods: int
    """What the queue asks of the global cap."""
    goal_reachable: bool


class Draft:
    """A queue on its way to a stand: what is given, and what the steps it has taken found. Each step sets one thing, once."""

    __slots__ = (
        "arriving",
        "before",
        "breakers",
        "estimates",
        "fleet",
        "learned",
        "leave",
        "limits",
        "memory",
        "now",
        "observation",
        "policy",
        "want",
        "wanted_pods",
        "work",
    )
    learned: Learned
    estimates: Estimates
    breakers: Mapping[str, int]
    fleet: Capacity
    work: Work
    arriving: Arriving
    want: Want
    leave: Leave
    wanted_pods: int
    limits: tuple[Limit, ...]
    memory: Memory

    def __init__(self, case: QueueCase, *, now: float) -> None:
        self.observation = case.observation
        self.policy = case.policy
        self.before = case.memory
        self.now = now


def stands(cases: Sequence[QueueCase], *, now: float) -> list[Stand]:
    """Work out where each queue stands at `now`, in their order."""
    drafts = [Draft(case, now=now) for case in cases]
    for start in range(0, len(drafts), BATCH):
        batch = drafts[start : start + BATCH]
        for step in STEPS:
            for draft in batch:
                step(draft)
    return [_stand(draft) for draft in drafts]


def _learn(draft: Draft) -> None:
    draft.learned = learn(draft.observation, draft.policy, draft.before, now=draft.now)
    draft.estimates = draft.learned.estimates
    draft.breakers = draft.learned.breakers


def _count(draft: Draft) -> None:
    draft.fleet = capacity(draft.observation, draft.policy)


def _admit(draft: Draft) -> None:
    running = draft.fleet.running
    draft.work = admissible_work(draft.observation, draft.policy, draft.estimates, running=running, breakers=draft.breakers)


def _foresee(draft: Draft) -> None:
    if draft.observation.paused or draft.policy.stop is not NOT_STOPPED:
        draft.arriving = NOTHING
        return
    draft.arriving = arriving(
        draft.policy,
        draft.estimates,
        breakers=draft.breakers,
        planned_wait_seconds=SAFETY * draft.policy.max_wait_seconds,
        paused_kinds=draft.observation.paused_kinds,
    )


def _want(draft: Draft) -> None:
    draft.want = want(draft.work, draft.policy, draft.estimates, draft.fleet, draft.arriving)


def _leave(draft: Draft) -> None:
    scene = Scene(work=draft.work, policy=draft.policy, estimates=draft.estimates, fleet=draft.fleet, arriving=draft.arriving)
    draft.leave = leave(scene, draft.want, draft.before, now=draft.now)


def _size(draft: Draft) -> None:
    """The replicas that the wanted slots are: marked workers are taken back first, and they count with what they really can do."""
    policy, fleet, wanted = draft.policy, draft.fleet, draft.want
    if wanted.panicking:
        draft.wanted_pods = larger(fleet.pods, policy.max_replicas)
        return
    reversible = marked(draft.observation.workers)
    back = 0
    while (lacking := pods_for(wanted.slots - fleet.slots, policy.slots_per_replica)) > 0 and back < len(reversible):
        back += smaller(lacking, len(reversible) - back)
        taken_back = {worker.session_id for worker in reversible[:back]}
        fleet = capacity(draft.observation, policy, taken_back=taken_back)
        wanted = want(draft.work, policy, draft.estimates, fleet, draft.arriving)
    draft.wanted_pods = fleet.pods + lacking if lacking > 0 else fleet.pods - draft.leave.slots // policy.slots_per_replica


def _limit(draft: Draft) -> None:
    """The queue's own ceilings, and what they and the other steps have to remember."""
    learned, left = draft.learned, draft.leave
    limits = own_limits(draft.observation, draft.policy, draft.estimates, breakers=draft.breakers)
    memory = replace(
        draft.before, decided_at=draft.now, kinds=learned.kinds, startups=learned.startups, unused=left.unused, tapered=left.tapered
    )
    if draft.policy.mode is AUTO:
        allowed = lowest(limits)
        memory = watched(memory, learned, draft.fleet, draft.policy, allowed=allowed, now=draft.now, waiting=draft.work.total)
    draft.memory = memory
    draft.limits = limits + failure_limits(memory, draft.policy)


STEPS: tuple[Callable[[Draft], None], ...] = (_learn, _count, _admit, _foresee, _want, _leave, _size, _limit)


def _demand_pods(draft: Draft, limit: Limit) -> int:
    """A queue that is not scaled now asks for what it has."""
    policy = draft.policy
    if policy.stop is HOLD_AND_DRAIN:
        return 0
    if policy.mode is RECOMMEND or policy.stop is HOLD:
        return draft.fleet.pods
    return int(smaller(larger(draft.wanted_pods, policy.min_replicas), limit.replicas))


def _stand(draft: Draft) -> Stand:
    limit = lowest(draft.limits)
    return Stand(
        observation=draft.observation,
        policy=draft.policy,
        memory=draft.memory,
        estimates=draft.estimates,
        fleet=draft.fleet,
        work=draft.work,
        arriving=draft.arriving,
        want=draft.want,
        leave=draft.leave,
        wanted_pods=draft.wanted_pods,
        limit=limit,
        demand_pods=_demand_pods(draft, limit),
        goal_reachable=SAFETY * draft.policy.max_wait_seconds >= least_slack(draft.policy, draft.estimates),
    )
