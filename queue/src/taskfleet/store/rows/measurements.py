"""Measurements as the database gives them. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from taskfleet.models import AgeBucket, KindRunning, OutcomeCount, QueueMeasurement, SessionSeen


def measurement_from(row: Mapping[str, Any]) -> QueueMeasurement:
    """The measurement that a row of measure_queues.sql tells of."""
    return QueueMeasurement(
        queue=row["queue"],
        measured_at=row["measured_at"],
        ready=tuple(
            AgeBucket(kind=kind, priority=priority, count=count, oldest_seconds=max(age, 0.0))
            for kind, priority, count, age in row["ready"]
        ),
        scheduled=row["scheduled"],
        scheduled_soon=row["scheduled_soon"],
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
