"""Panic: a backlog so deep that every allowed worker helps."""

from taskfleet_operator.scaling.capacity import Capacity
from taskfleet_operator.scaling.demand.work import Due, Work
from taskfleet_operator.scaling.estimates.learn import Estimates
from taskfleet_operator.scaling.policy import ScalingPolicy


def panics(work: Work, policy: ScalingPolicy, estimates: Estimates, fleet: Capacity) -> bool:
    """More than panicBacklog tasks wait and would outlast their slack with the slots there are.

    Drain time decides, not depth alone: 1,100 tasks of 10 ms are done by one slot in 11 s. The stale lane is measured with its own
    patience: 3,000 old one-second tasks may take their hour.
    """
    if work.total <= policy.panic_backlog:
        return False
    fresh, stale = work.fresh.all, work.stale.all
    if fresh is not None and drain_seconds(fresh, estimates, fleet) > fresh.slack_seconds:
        return True
    return stale is not None and drain_seconds(stale, estimates, fleet) > policy.lanes.stale_wait_seconds


def drain_seconds(due: Due, estimates: Estimates, fleet: Capacity) -> float:
    """How long the slots there are would need for the work."""
    seconds = sum(count * estimates.service[kind] for kind, count in due.counts.items())
    return seconds / max(fleet.slots, 1)
