"""What decisions on record say about a fleet over time. Pure: decisions come oldest first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from taskfleet.models import DecisionRecord


@dataclass(frozen=True, kw_only=True)
class FleetCost:
    """What the workers of a queue have cost, as far as decisions are on record."""

    since: datetime | None
    """The first decision on record; None without any."""
    peak_workers: int
    pod_seconds: float
    """Workers integrated over time."""
    scale_actions: int


def scale_actions(decisions: Iterable[DecisionRecord], *, before: int = 0) -> int:
    """How often the number of workers was set anew."""
    sizes = [before, *(decision.replicas for decision in decisions)]
    return sum(old != new for old, new in pairwise(sizes))


def fleet_cost(decisions: Sequence[DecisionRecord], *, now: datetime) -> FleetCost:
    """Add up: each decision holds until the next one, the last one until now."""
    moments = [(decision.decided_at, decision.replicas) for decision in decisions if decision.decided_at is not None]
    held = pairwise([*moments, (now, 0)])
    return FleetCost(
        since=moments[0][0] if moments else None,
        peak_workers=max((replicas for _, replicas in moments), default=0),
        pod_seconds=sum(replicas * (after - start).total_seconds() for (start, replicas), (after, _) in held),
        scale_actions=scale_actions(decisions, before=decisions[0].replicas if decisions else 0),
    )


def most_workers(decisions: Sequence[DecisionRecord], minutes: Iterable[datetime]) -> Sequence[int]:
    """The most workers at any moment of each minute: those of the decisions within it, and of the one that held when it began."""
    known = [(decision.decided_at, decision.replicas) for decision in decisions if decision.decided_at is not None]
    return [_most(known, minute, minute + timedelta(minutes=1)) for minute in minutes]


def _most(known: Sequence[tuple[datetime, int]], start: datetime, end: datetime) -> int:
    held = next((replicas for at, replicas in reversed(known) if at <= start), 0)
    return max([held, *(replicas for at, replicas in known if start < at < end)])
