"""Facts, measurements and fleets for tests: small, and changed where the test says."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from taskfleet.measurements import AgeProfile, KindRunning, OutcomeCount, QueueMeasurement, SessionSeen
from taskfleet_operator.api.reading import read_task_queue
from taskfleet_operator.api.task_queue import QueueKey, TaskQueue
from taskfleet_operator.errors import Fault
from taskfleet_operator.loop.facts import QueueFacts, Rates
from taskfleet_operator.loop.fleet import FleetState, FleetWorker, Scaled
from taskfleet_operator.loop.known import KnownQueue
from taskfleet_operator.scaling import Decision, Reason
from tests.unit.operator.api.manifests import manifest

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
FAULT = Fault(path="spec.goal", found="3", allowed="an object")


def task_queue(name: str = "episodes", **spec: Any) -> TaskQueue:
    made = manifest(**spec)
    made["metadata"]["name"] = name
    return read_task_queue(made)


def known(name: str = "episodes", *, faults: tuple[Fault, ...] = (), followed: bool = True, generation: int = 1, **spec: Any) -> KnownQueue:
    key = QueueKey(namespace="media", name=name)
    return KnownQueue(key=key, uid="u", generation=generation, followed=task_queue(name, **spec) if followed else None, faults=faults)


def session(number: int, *, pod: str | None = None, leases: int = 0, age_seconds: float = 60, **fields: Any) -> SessionSeen:
    return SessionSeen(
        session_id=UUID(int=number),
        worker=f"worker-{number}",
        pod_uid=pod if pod is not None else f"pod-{number}",
        slots=4,
        leases=leases,
        kinds=("nap",),
        started_at=NOON - timedelta(seconds=age_seconds),
        heartbeat_age_seconds=0.5,
        draining=fields.get("draining", False),
        drained=fields.get("drained", False),
    )


def worker(number: int, *, age_seconds: float = 61, **fields: Any) -> FleetWorker:
    return FleetWorker(pod=f"pod-{number}", name=f"worker-{number}", age_seconds=age_seconds, **fields)


def measurement(*sessions: SessionSeen, ready: int = 10, running: int = 2, **fields: Any) -> QueueMeasurement:
    values: dict[str, Any] = {
        "queue": "episodes",
        "measured_at": NOON,
        "ready": (AgeProfile(kind="nap", priority=5, counts=[ready], ages=[30.0]),) if ready else (),
        "running": (KindRunning(kind="nap", count=running, running_seconds=3.0),) if running else (),
        "sessions": sessions,
        "scheduled": 4,
        "failed": 1,
        "outcomes": (
            OutcomeCount(kind="nap", outcome="enqueued", code="", count=50, busy_seconds=0.0),
            OutcomeCount(kind="nap", outcome="succeeded", code="", count=30, busy_seconds=15.0),
            OutcomeCount(kind="nap", outcome="failed", code="TASK_ENTITY_NOT_FOUND", count=10, busy_seconds=1.0),
        ),
    }
    return QueueMeasurement(**values | fields)


def decision(**fields: Any) -> Decision:
    values: dict[str, Any] = {
        "queue": "media/episodes",
        "wanted": 2,
        "desired": 2,
        "replicas": 2,
        "reason": Reason.DEADLINE_DEMAND,
        "said": "2 workers: 10 ready tasks must start within 54 s",
    }
    return Decision(**values | fields)


def facts(*, ceiling: int | None = None, scaled_to: int | None = None, **fields: Any) -> QueueFacts:
    """A queue in good health: two workers, ten tasks waiting."""
    fleet = FleetState(replicas=2, held=2, ready=2, workers=(worker(1), worker(2)), selector="a=b")
    values: dict[str, Any] = {
        "known": known(),
        "measurement": measurement(session(1), session(2)),
        "fleet": fleet if scaled_to is None else FleetState(),
        "decision": decision(claim_ceiling=ceiling),
        "rates": Rates(finished_per_minute=12.34, failure_percent=25.0),
        "scaled": None if scaled_to is None else Scaled(replicas=scaled_to),
    }
    return QueueFacts(**values | fields)
