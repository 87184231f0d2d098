"""How many slots may leave: what was unused or tapers off, and never more than the deadline law can spare right now."""

from dataclasses import dataclass
from math import ceil

from taskfleet_operator.scaling.capacity import Capacity, reduced
from taskfleet_operator.scaling.decision import Step
from taskfleet_operator.scaling.demand.floor import Arriving
from taskfleet_operator.scaling.demand.panic import panics
from taskfleet_operator.scaling.demand.want import ROUNDING, Want, missing
from taskfleet_operator.scaling.demand.work import Work, goals
from taskfleet_operator.scaling.estimates.learn import Estimates
from taskfleet_operator.scaling.memory import Memory
from taskfleet_operator.scaling.policy import ScalingPolicy
from taskfleet_operator.scaling.reasons import Reason
from taskfleet_operator.scaling.surplus import taper
from taskfleet_operator.scaling.surplus.unused import GAP_TICKS, QUICK_SECONDS, observe_unused, unused
from taskfleet_operator.scaling.windows import RecentLow

TRIES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Leave:
    """Slots that may leave, why, and the windows that say so."""

    slots: int
    reason: Reason
    unused: RecentLow
    tapered: RecentLow
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What the question is asked of."""

    work: Work
    policy: ScalingPolicy
    estimates: Estimates
    fleet: Capacity
    arriving: Arriving


def leave(scene: Scene, wanted: Want, memory: Memory, *, now: float) -> Leave:
    """Find the slots that nobody needs. While more slots are wanted nobody leaves, but the windows go on."""
    policy, fleet, startup = scene.policy, scene.fleet, scene.estimates.startup_seconds
    lacking = wanted.slots > fleet.slots or wanted.panicking
    spare = 0 if lacking else fleet.idle + fleet.starting
    window = observe_unused(memory.unused, spare, now=now, startup_seconds=startup, tick_seconds=policy.tick_seconds)
    calm = RecentLow() if lacking else _calm_window(scene, memory.tapered, now=now)
    idle = unused(window, fleet, keep=scene.arriving.keep, now=now, startup_seconds=startup)
    ends = taper.surplus(calm, slots=fleet.slots, now=now)
    asked = max(idle.slots, ends)
    if asked <= 0 or lacking:
        return Leave(slots=0, reason=Reason.STEADY, unused=window, tapered=calm, steps=())
    reason = Reason.IDLE_UNUSED if idle.slots >= ends else Reason.TAPER
    slots = _spared(scene, min(asked, int(fleet.slots - ceil(wanted.floor - ROUNDING))))
    did = f"{asked} of {fleet.slots} slots are more than needed, {slots} of them can go"
    step = Step(name="unused" if reason is Reason.IDLE_UNUSED else "taper", did=did, slots=fleet.slots - slots, reason=reason)
    return Leave(slots=slots, reason=reason, unused=window, tapered=calm, steps=(step,))


def _spared(scene: Scene, slots: int) -> int:
    """At most `slots`, so that the law asks for none of them back on the same observation."""
    for _ in range(TRIES):
        if slots <= 0:
            return 0
        fewer = reduced(scene.fleet, slots)
        if panics(scene.work, scene.policy, scene.estimates, fewer):
            return 0
        back = missing(scene.work, scene.policy, scene.estimates, fewer, scene.arriving).slots
        if back <= ROUNDING:
            return slots
        slots -= ceil(back - ROUNDING)
    return 0


def _calm_window(scene: Scene, before: RecentLow, *, now: float) -> RecentLow:
    policy, estimates = scene.policy, scene.estimates
    goal, load = goals(policy, estimates)[0], scene.arriving.load
    typical = estimates.typical_service_seconds
    needed = taper.calm_need(scene.work, estimates.service, goal=goal, load=load, typical_seconds=typical)
    if needed is None:
        return RecentLow()
    gap = max(QUICK_SECONDS, GAP_TICKS * policy.tick_seconds)
    return before.seen(-needed, at=now, keep_seconds=taper.SECONDS, gap_seconds=gap)
