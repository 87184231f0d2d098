"""The taper: towards the end of a backlog fewer slots suffice, and those that become free may go.

Only for tasks short against their slack. The calmer law plans with 0.6 of the goal's safe part and with q + 2√q tasks; what it asked
for at most in the quick window is kept, and only if that is less than 85 % of the fleet does anybody leave.
"""

from collections.abc import Mapping
from math import ceil, sqrt

from taskfleet_operator.scaling.demand.work import SAFETY, Due, Goal, Work, slot_seconds
from taskfleet_operator.scaling.extremes import larger
from taskfleet_operator.scaling.windows import RecentLow

CALM = 0.6
WORTH_IT = 0.85


def calm_need(work: Work, service: Mapping[str, float], *, goal: Goal, load: float, typical_seconds: float) -> float | None:
    """The slots that the calmer law asks for; None when tasks are too long against their slack, or the stale lane has work."""
    if work.stale.total > 0 or typical_seconds >= goal.slack(0) / 2:
        return None
    most = load + 2 * sqrt(load)
    for due in work.fresh.due:
        needed = _needed(due, service, goal)
        if needed is None:
            return None
        most = larger(most, needed)
    return most


def surplus(window: RecentLow, *, slots: int, seconds: float, now: float) -> int:
    """Slots more than the calmer law asked for at any time of the last `seconds`; `window` holds the negated needs."""
    low = window.low(seconds, now=now)
    if low is None:
        return 0
    needed = ceil(-low)
    return slots - needed if needed < WORTH_IT * slots else 0


def _needed(due: Due, service: Mapping[str, float], goal: Goal) -> float | None:
    if due.total <= 0:
        return 0.0
    # The slack of the deadline law is max(η·T − age, …): what is left of the goal, made calmer.
    left = due.slack_seconds - (1 - CALM) * SAFETY * goal.wait_seconds
    slack = larger(left, goal.least_slack_seconds / 2)
    seconds = slot_seconds(due, service)
    if seconds / due.total >= due.slack_seconds / 2:
        return None
    return (1 + 2 / sqrt(due.total)) * seconds / slack
