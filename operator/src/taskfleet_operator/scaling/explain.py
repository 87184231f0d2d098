"""The sentence that goes to log, condition, Event and page: how many workers, because of what, capped by whom, with the numbers."""

from msgspec import Struct

from taskfleet_operator.scaling.demand.work import slot_seconds
from taskfleet_operator.scaling.reasons import Reason
from taskfleet_operator.scaling.stand import Stand


class Sentence(Struct, frozen=True, kw_only=True, gc=False):
    """One decision, put into words by `str`."""

    stand: Stand
    reason: Reason
    desired: int
    limit: Reason | None
    applied: bool

    def __str__(self) -> str:
        text = sentence(self.stand, reason=self.reason, desired=self.desired, limit=self.limit)
        return text if self.applied else f"would run {text}; mode is Recommend, nothing is applied"


def sentence(stand: Stand, *, reason: Reason, desired: int, limit: Reason | None) -> str:
    """What a fleet of this size is for, and what keeps it from the size that is wanted."""
    workers = "1 worker" if desired == 1 else f"{desired:,} workers"
    text = f"{workers}: {_cause(stand, reason if limit is None else stand.want.reason)}"
    if limit is not None and desired >= stand.wanted_pods:
        text += f"; {limit} lets only {stand.work.total:,.0f} of {stand.work.waiting:,} start in time"
    elif limit is not None:
        text += f"; capped by {limit} at {desired:,} of {stand.wanted_pods:,} wanted"
    if not stand.goal_reachable:
        startup = stand.estimates.startup_seconds
        text += f"; a burst cannot start within {stand.policy.max_wait_seconds:g} s, a worker takes {startup:.0f} s to start"
    return text


def _cause(stand: Stand, reason: Reason) -> str:
    match reason:
        case Reason.DEADLINE_DEMAND:
            return _deadline(stand)
        case Reason.ARRIVAL_RATE:
            return f"{stand.arriving.rate:,.3g} tasks arrive a second and keep {stand.arriving.load:,.3g} slots busy"
        case Reason.PANIC_BACKLOG:
            return _panic(stand)
        case Reason.MIN_REPLICAS:
            return f"minReplicas keeps {stand.policy.min_replicas} warm"
        case Reason.IDLE_UNUSED:
            return f"{stand.fleet.idle + stand.fleet.starting} of {stand.fleet.slots} slots are unused and {_waiting(stand)}"
        case Reason.TAPER:
            return f"{_waiting(stand)}, fewer than {stand.fleet.slots:,} slots are enough"
        case _:
            return _steady(stand)


def _deadline(stand: Stand) -> str:
    due = stand.want.due
    if due is None:
        return _waiting(stand)
    seconds = slot_seconds(due, stand.estimates.service) / due.total
    return f"{_tasks(due.total, 'ready ')} must start within {due.slack_seconds:.0f} s at {seconds:.2g} s each"


def _panic(stand: Stand) -> str:
    lanes = [lane for lane in (stand.work.fresh.all, stand.work.stale.all) if lane is not None]
    seconds = sum(slot_seconds(lane, stand.estimates.service) for lane in lanes) / max(stand.fleet.slots, 1)
    slots = "1 slot" if stand.fleet.slots <= 1 else f"{stand.fleet.slots:,} slots"
    return f"{_tasks(stand.work.total, 'ready ')} would keep {slots} busy for {seconds:,.0f} s"


def _waiting(stand: Stand) -> str:
    total = stand.work.waiting
    return "nothing waits" if total == 0 else f"{_tasks(total)} {'waits' if total == 1 else 'wait'}"


def _tasks(count: float, adjective: str = "") -> str:
    return f"{count:,.0f} {adjective}{'task' if round(count) == 1 else 'tasks'}"


def _steady(stand: Stand) -> str:
    busy = stand.fleet.busy_slots
    leaving = sum(stand.fleet.running.values()) - busy
    text = f"{_waiting(stand)}, {busy:,} of {stand.fleet.slots:,} slots are busy"
    return text if leaving <= 0 else f"{text}, {_tasks(leaving)} run on workers that leave"
