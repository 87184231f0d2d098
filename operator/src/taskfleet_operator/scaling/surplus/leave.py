"""How many slots may leave: what was unused or tapers off, and never more than the deadline law can spare right now."""

from math import ceil

from msgspec import Struct

from taskfleet_operator.scaling.capacity import Capacity, reduced
from taskfleet_operator.scaling.decision import Step
from taskfleet_operator.scaling.demand.floor import Arriving
from taskfleet_operator.scaling.demand.panic import calm_slots
from taskfleet_operator.scaling.demand.want import ROUNDING, Want, missing
from taskfleet_operator.scaling.demand.work import Work, fresh_goal
from taskfleet_operator.scaling.estimates.learn import Estimates
from taskfleet_operator.scaling.extremes import larger, smaller
from taskfleet_operator.scaling.memory import Memory
from taskfleet_operator.scaling.policy import ScalingPolicy
from taskfleet_operator.scaling.reasons import STEADY, Reason
from taskfleet_operator.scaling.surplus import taper
from taskfleet_operator.scaling.surplus.unused import gap_seconds, observe_unused, quick_window, unused
from taskfleet_operator.scaling.windows import RecentLow

CLAUSE = "{} of {} slots are more than the work needs"
WATCHED_SECONDS = 2.0
"""So long a starting slot was too many before it is cancelled; with longer ticks one look must do, for the next comes after the start."""
OVERSHOOT = 0.15
"""Starting slots are cancelled down to so much more than the law needs."""


class Leave(Struct, frozen=True, kw_only=True, gc=False):
    """Slots that may leave, why, and the windows that say so."""

    slots: int
    reason: Reason
    unused: RecentLow
    tapered: RecentLow
    steps: tuple[Step, ...]


class Scene(Struct, frozen=True, kw_only=True, gc=False):
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
    room = int(fleet.slots - ceil(wanted.floor - ROUNDING))
    if lacking or room <= 0:
        return Leave(slots=0, reason=STEADY, unused=window, tapered=calm, steps=())
    idle = 0
    if spare:
        idle = unused(window, fleet, keep=scene.arriving.keep, now=now, startup_seconds=startup, tick_seconds=policy.tick_seconds).slots
    ends = taper.surplus(calm, slots=fleet.slots, seconds=quick_window(policy.tick_seconds), now=now)
    asked = smaller(larger(idle, ends), room)
    if asked <= 0 and not fleet.starting:
        return Leave(slots=0, reason=STEADY, unused=window, tapered=calm, steps=())
    watched = window.low(smaller(policy.tick_seconds, WATCHED_SECONDS), now=now) or 0.0
    slots = larger(_spared(scene, asked), _overshoot(scene, wanted, watched=watched))
    reason = Reason.TAPER if ends > idle else Reason.IDLE_UNUSED
    steps: tuple[Step, ...] = ()
    if slots > 0:
        name = "taper" if reason is Reason.TAPER else "unused"
        numbers = (slots, fleet.slots)
        steps = (Step(name=name, clause=CLAUSE, numbers=numbers, slots=fleet.slots - slots, reason=reason),)
    return Leave(slots=slots, reason=reason, unused=window, tapered=calm, steps=steps)


def _overshoot(scene: Scene, wanted: Want, *, watched: float) -> int:
    """Starting slots that a panic or an early guess ordered and that were too many, less a margin for the next guess.

    `watched` slots were unused for a moment: a start costs as long as it lasts, so nobody waits a whole window to cancel it.
    """
    fleet = scene.fleet
    stay = larger(ceil(wanted.floor - ROUNDING), scene.arriving.keep)
    spared = _spared(scene, min(fleet.starting, fleet.slots - stay, int(watched)))
    return larger(0, int(spared - OVERSHOOT * (fleet.slots - spared)))


def _spared(scene: Scene, slots: int) -> int:
    """At most `slots`, so that the law asks for none of them back on the same observation."""
    slots = smaller(slots, scene.fleet.slots - ceil(calm_slots(scene.work, scene.policy, scene.estimates)))
    while slots > 0:
        fewer = reduced(scene.fleet, slots)
        back = missing(scene.work, scene.policy, scene.estimates, fewer, scene.arriving).slots
        if back <= ROUNDING:
            return slots
        slots -= ceil(back - ROUNDING)
    return 0


def _calm_window(scene: Scene, before: RecentLow, *, now: float) -> RecentLow:
    policy, estimates = scene.policy, scene.estimates
    goal, load = fresh_goal(policy, estimates), scene.arriving.load
    typical = estimates.typical_service_seconds
    needed = taper.calm_need(scene.work, estimates.service, goal=goal, load=load, typical_seconds=typical)
    if needed is None:
        return RecentLow()
    tick = policy.tick_seconds
    return before.seen(-needed, at=now, keep_seconds=quick_window(tick), gap_seconds=gap_seconds(tick))
