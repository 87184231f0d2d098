"""Measurements as the database gives them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from taskfleet.measurements import AgeProfile, KindRunning, OutcomeCount, QueueMeasurement, SessionSeen

SOON_SECONDS = 60
"""Scheduled tasks that are due within so long are counted apart."""


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits in one queue."""

    ready: Sequence[AgeProfile]
    scheduled: int
    scheduled_soon: int

    @classmethod
    def of(cls, profiles: Sequence[tuple[str, int, Sequence[int], Sequence[int]]], *, now: float) -> Self:
        """Add up kinds, priorities, starts of buckets and what each start gained or lost; `now` in seconds since 1970, as the starts."""
        ready: list[AgeProfile] = []
        scheduled = soon = 0
        for kind, priority, starts, deltas in profiles:
            if max(starts) <= now and min(deltas) > 0 and len(set(starts)) == len(starts):
                # Nearly always: all that waits is due, and everything that was folded has its own start.
                ready.append(AgeProfile(kind=kind, priority=priority, counts=deltas, ages=[now - start for start in starts]))
                continue
            waiting = _waiting(starts, deltas)
            due = {start: count for start, count in waiting.items() if start <= now}
            if due:
                ages = [now - start for start in due]
                ready.append(AgeProfile(kind=kind, priority=priority, counts=list(due.values()), ages=ages))
            scheduled += sum(waiting.values()) - sum(due.values())
            soon += sum(count for start, count in waiting.items() if now < start <= now + SOON_SECONDS)
        return cls(ready=tuple(ready), scheduled=scheduled, scheduled_soon=soon)


def measurement_from(row: Mapping[str, Any]) -> QueueMeasurement:
    """The measurement that a row of measure_queues.sql tells of."""
    backlog = Backlog.of(row["waiting"], now=row["measured_at"].timestamp())
    return QueueMeasurement(
        queue=row["queue"],
        measured_at=row["measured_at"],
        ready=backlog.ready,
        scheduled=backlog.scheduled,
        scheduled_soon=backlog.scheduled_soon,
        running=tuple(KindRunning(kind=kind, count=count, running_seconds=seconds) for kind, count, seconds in row["running"]),
        sessions=tuple(_session(session) for session in row["sessions"]),
        enqueued_total=row["enqueued_total"],
        outcomes=tuple(
            OutcomeCount(kind=kind, outcome=outcome, code=code, count=count, busy_seconds=busy)
            for kind, outcome, code, count, busy in row["outcomes"]
        ),
        failed=row["failed"],
        paused=row["paused"],
    )


def _waiting(starts: Sequence[int], deltas: Sequence[int]) -> Mapping[int, int]:
    """How many wait in each bucket in which something does; what is not folded yet, or not widened, comes beside its sum."""
    totals = dict.fromkeys(starts, 0)
    for start, delta in zip(starts, deltas, strict=True):
        totals[start] += delta
    return {start: count for start, count in totals.items() if count > 0}


def _session(session: Mapping[str, Any]) -> SessionSeen:
    return SessionSeen(
        session_id=UUID(session["session_id"]),
        worker=session["worker"],
        pod_uid=session["pod_uid"],
        slots=session["slots"],
        leases=session["leases"],
        kinds=tuple(session["kinds"]),
        started_at=datetime.fromisoformat(session["started_at"]),
        heartbeat_age_seconds=max(session["heartbeat_age_seconds"], 0.0),
        draining=session["draining"],
        drained=session["drained"],
    )
