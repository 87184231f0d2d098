"""What the work asks for, before any ceiling: the deadline law over both lanes, the rate floor, the minimum, panic."""

from math import ceil

from msgspec import Struct

from taskfleet_operator.scaling.capacity import Capacity, grown
from taskfleet_operator.scaling.decision import Step
from taskfleet_operator.scaling.demand import deadline
from taskfleet_operator.scaling.demand.deadline import Claims, Need, Supply
from taskfleet_operator.scaling.demand.floor import Arriving
from taskfleet_operator.scaling.demand.panic import panics
from taskfleet_operator.scaling.demand.work import SAFETY, Due, Work, slot_seconds
from taskfleet_operator.scaling.estimates.learn import Estimates
from taskfleet_operator.scaling.extremes import larger, smaller
from taskfleet_operator.scaling.policy import ScalingPolicy
from taskfleet_operator.scaling.reasons import DEADLINE_DEMAND, PANIC_BACKLOG, STEADY, Reason

SMALL_INCREASE = 0.05
ROUNDING = 1e-9
"""Numbers this close to a whole are that whole: 25 slots must not become 26 by the dust of a division."""
NEGLIGIBLE_SLOTS = 0.01
"""A hundredth of a slot is worth no worker: estimates are not that good, and what starting slots are credited differs by as much."""

_SLOTS = "{} slots are busy, {} idle, {} starting; {:.0f} more are needed"
DEADLINE = "{:,.0f} tasks wait; " + _SLOTS
DEADLINE_OF_LANES = "{:,.0f} fresh and {:,.0f} stale tasks wait; " + _SLOTS
RATE_FLOOR = "arrivals keep {:.1f} slots busy, {:.1f} are kept for them; minReplicas is {}"
PANIC = "{:,.0f} tasks wait, more than {:,}, and would outlast their slack: the allowed maximum"


class Missing(Struct, frozen=True, kw_only=True, gc=False):
    """The slots that the deadline law misses, and the waiting work that decided."""

    slots: float
    due: Due | None


class Want(Struct, frozen=True, kw_only=True, gc=False):
    """The slots the work asks for."""

    slots: float
    """Never fewer than there are: giving slots up is another step's business. In panic the allowed maximum counts instead."""
    reason: Reason
    floor: float
    """Never fewer than this, whatever is unused: the rate floor, the minimum, one while anything waits."""
    due: Due | None
    """The waiting work that decided."""
    steps: tuple[Step, ...]

    @property
    def panicking(self) -> bool:
        """Whether every allowed worker is wanted."""
        return self.reason is PANIC_BACKLOG


def want(work: Work, policy: ScalingPolicy, estimates: Estimates, fleet: Capacity, arriving: Arriving) -> Want:
    """Ask for slots."""
    lacking = _settled(work, policy, estimates, fleet, arriving)
    minimum = float(policy.min_replicas * policy.slots_per_replica)
    total = work.total
    floor = max(arriving.floor, minimum, 1.0 if total > 0 else 0.0)
    steps: tuple[Step, ...] = (_deadline_step(work, lacking.slots, fleet), _floor_step(arriving, policy))
    slots, reason = _slots(fleet, new=lacking.slots, floor=floor, minimum=minimum)
    late = work.fresh.oldest_seconds > SAFETY * policy.max_wait_seconds
    if slots < (1 + SMALL_INCREASE) * fleet.slots and not late and slots > minimum:
        slots, reason = float(fleet.slots), STEADY
    if panics(work, policy, estimates, slots=fleet.slots):
        reason = PANIC_BACKLOG
        steps = (*steps, Step(name="panic", clause=PANIC, numbers=(total, policy.panic_backlog), reason=reason))
    return Want(slots=slots, reason=reason, floor=floor, due=lacking.due, steps=steps)


def missing(work: Work, policy: ScalingPolicy, estimates: Estimates, fleet: Capacity, arriving: Arriving) -> Missing:
    """What the deadline law asks for beyond `fleet`, over both lanes."""
    if not work.fresh.due and not work.stale.due:
        return Missing(slots=0.0, due=None)
    supply = Supply(capacity=fleet, service=estimates.service, startup_seconds=estimates.startup_seconds)
    fresh = _fresh_need(work, policy, supply)
    room = _room(work, fleet)
    if work.stale.all is None:
        return Missing(slots=smaller(fresh.new_slots, room), due=fresh.due)
    stale = _stale_need(work, work.stale.all, policy, supply, load=arriving.load)
    due = stale.due if stale.new_slots > fresh.new_slots or fresh.due is None else fresh.due
    return Missing(slots=smaller(fresh.new_slots + stale.new_slots, room), due=due)


def _settled(work: Work, policy: ScalingPolicy, estimates: Estimates, fleet: Capacity, arriving: Arriving) -> Missing:
    """Slots after whose start the law misses none: what the next look would ask for on the same observation is asked for now.

    One formula does not give them at once where two lanes share starts: a slot that is starting is credited to each by its share.
    """
    lacking = missing(work, policy, estimates, fleet, arriving)
    new = _whole(lacking.slots)
    if work.plain:
        # A slot that is starting is credited with no less than a new one was counted on.
        return Missing(slots=float(new), due=lacking.due)
    while new and (more := _whole(missing(work, policy, estimates, grown(fleet, new), arriving).slots)):
        new += more
    return Missing(slots=float(new), due=lacking.due)


def _whole(slots: float) -> int:
    return ceil(larger(0.0, slots - NEGLIGIBLE_SLOTS))


def pods_for(slots: float, slots_per_pod: int) -> int:
    """Whole pods for slots."""
    return ceil(slots / slots_per_pod - ROUNDING)


def _room(work: Work, fleet: Capacity) -> float:
    """New slots that the waiting tasks can occupy at once beside those that are free or starting: one each, and no more than quotas leave.

    Without this a kind at its quota asks again for the slot that is starting for it: 4 tasks of a kind with room for one wanted one
    slot more at every tick, as long as another kind without a quota lifted the ceiling.
    """
    if work.plain:
        return larger(0.0, work.total - fleet.idle - fleet.starting)
    waiting: dict[str, float] = {}
    room: dict[str, int] = {}
    for due in (work.fresh.all, work.stale.all):
        if due is not None:
            room.update(due.room)
            for kind, count in due.counts.items():
                waiting[kind] = waiting.get(kind, 0.0) + count
    usable = sum(smaller(count, room.get(kind, count)) for kind, count in waiting.items())
    return larger(0.0, usable - fleet.idle - fleet.starting)


def _fresh_need(work: Work, policy: ScalingPolicy, supply: Supply) -> Need:
    """The fresh lane has all starts but those the stale lane is promised and can use."""
    if not work.stale.due:
        return deadline.need(work.fresh.due, supply)
    return deadline.need(work.fresh.due, supply, Claims(promised_away=policy.lanes.stale_share, other_tasks=work.stale.total))


def _stale_need(work: Work, waiting: Due, policy: ScalingPolicy, supply: Supply, *, load: float) -> Need:
    """The stale lane has its promised share of the slots there are or whatever the fresh lane leaves over, and all of the new ones."""
    slots = larger(supply.capacity.slots, 1)
    fresh = work.fresh.all
    fresh_seconds = 0.0 if fresh is None else slot_seconds(fresh, supply.service)
    used = (fresh_seconds + load * waiting.slack_seconds) / (slots * waiting.slack_seconds)
    return deadline.need(work.stale.due, supply, Claims(usable=larger(policy.lanes.stale_share, 1 - used)))


def _slots(fleet: Capacity, *, new: float, floor: float, minimum: float) -> tuple[float, Reason]:
    law = fleet.slots + new
    if floor > law:
        arriving = DEADLINE_DEMAND if fleet.slots == 0 and floor <= 1 else Reason.ARRIVAL_RATE
        return floor, Reason.MIN_REPLICAS if minimum >= floor else arriving
    return law, DEADLINE_DEMAND if law > fleet.slots else STEADY


def _deadline_step(work: Work, new: float, fleet: Capacity) -> Step:
    slots = (fleet.busy_slots, fleet.idle, fleet.starting, new)
    reason = DEADLINE_DEMAND if new > 0 else None
    if work.stale.due:
        numbers = (work.fresh.total, work.stale.total, *slots)
        return Step(name="deadline", clause=DEADLINE_OF_LANES, numbers=numbers, slots=fleet.slots + new, reason=reason)
    return Step(name="deadline", clause=DEADLINE, numbers=(work.total, *slots), slots=fleet.slots + new, reason=reason)


def _floor_step(arriving: Arriving, policy: ScalingPolicy) -> Step:
    numbers = (arriving.load, arriving.floor, policy.min_replicas)
    return Step(name="rate floor", clause=RATE_FLOOR, numbers=numbers, slots=arriving.floor)
