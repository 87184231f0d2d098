"""Panic: a backlog so deep that every allowed worker helps."""

from taskfleet_operator.scaling.demand.work import Work, slot_seconds
from taskfleet_operator.scaling.estimates.learn import Estimates
from taskfleet_operator.scaling.extremes import larger
from taskfleet_operator.scaling.policy import ScalingPolicy


def panics(work: Work, policy: ScalingPolicy, estimates: Estimates, *, slots: int) -> bool:
    """More than panicBacklog tasks wait and would outlast their slack with the slots there are.

    Drain time decides, not depth alone: 1,100 tasks of 10 ms are done by one slot in 11 s. The stale lane is measured with its own
    patience: 3,000 old one-second tasks may take their hour.
    """
    return larger(slots, 1) < calm_slots(work, policy, estimates)


def calm_slots(work: Work, policy: ScalingPolicy, estimates: Estimates) -> float:
    """With so many slots nobody panics: they drain each lane within its slack."""
    if work.total <= policy.panic_backlog:
        return 0.0
    fresh, stale = work.fresh.all, work.stale.all
    return larger(
        slot_seconds(fresh, estimates.service) / fresh.slack_seconds if fresh is not None else 0.0,
        slot_seconds(stale, estimates.service) / policy.lanes.stale_wait_seconds if stale is not None else 0.0,
    )
