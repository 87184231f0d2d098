"""From what the database and the scale target say of one queue to what the scaling law takes in. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from taskfleet.measurements import QueueMeasurement, SessionSeen
from taskfleet_operator.api.task_queue import QueueKey
from taskfleet_operator.loop.fleet import FleetState, FleetWorker
from taskfleet_operator.scaling import OutcomeTotal, QueueObservation, ReadyTasks, RunningTasks, Worker


@dataclass(frozen=True, kw_only=True)
class Startup:
    """A worker that opened its session, and how long that took since it was created."""

    pod: str
    seconds: float


def observation_of(
    key: QueueKey, measurement: QueueMeasurement, fleet: FleetState, *, told: Collection[str] = frozenset()
) -> QueueObservation:
    """Join both sides of one queue. `told` are the pods whose start-up was told to the law before.

    A session without a worker of ours is no worker: its process died, or somebody started it by hand and it is not ours to stop.
    """
    members = {worker.pod: worker for worker in fleet.workers}
    sessions = {session.pod_uid: session for session in measurement.sessions if session.pod_uid in members}
    serving = sum(1 for pod in sessions if pod and not members[pod].leaving)
    return QueueObservation(
        queue=str(key),
        ready=_ready(measurement),
        running=tuple(
            RunningTasks(kind=running.kind, count=running.count, running_seconds=running.running_seconds) for running in measurement.running
        ),
        totals=tuple(
            OutcomeTotal(kind=total.kind, outcome=total.outcome, code=total.code, count=total.count, busy_seconds=total.busy_seconds)
            for total in measurement.outcomes
        ),
        workers=tuple(_worker(session, members[pod]) for pod, session in sessions.items() if pod),
        replicas=fleet.replicas,
        held=max(fleet.held, fleet.replicas),
        starting=max(0, fleet.replicas - serving),
        startup_seconds=tuple(startup.seconds for startup in startups(measurement, fleet) if startup.pod not in told),
        paused=measurement.paused,
        rollout=fleet.rollout,
        foreign_change=fleet.foreign_change,
    )


def startups(measurement: QueueMeasurement, fleet: FleetState) -> tuple[Startup, ...]:
    """Give the start-up time of every worker that has a session.

    By the session's age where the target does not know it: both are spans, so no two clocks are compared.
    """
    members = {worker.pod: worker for worker in fleet.workers}
    found = []
    for session in measurement.sessions:
        worker = members.get(session.pod_uid or "")
        if worker is None:
            continue
        session_age = (measurement.measured_at - session.started_at).total_seconds()
        seconds = worker.age_seconds - session_age if worker.startup_seconds is None else worker.startup_seconds
        found.append(Startup(pod=worker.pod, seconds=max(0.0, seconds)))
    return tuple(found)


def pods_of(measurement: QueueMeasurement) -> Mapping[object, str]:
    """Give the pod of each session."""
    return {session.session_id: session.pod_uid for session in measurement.sessions if session.pod_uid}


def _ready(measurement: QueueMeasurement) -> tuple[ReadyTasks, ...]:
    """Add up priorities: the law asks how old work is, not how urgent."""
    counts: dict[tuple[str, float], int] = {}
    for profile in measurement.ready:
        for count, age in zip(profile.counts, profile.ages, strict=True):
            place = (profile.kind, age)
            counts[place] = counts.get(place, 0) + count
    return tuple(ReadyTasks(kind=kind, count=count, oldest_seconds=oldest) for (kind, oldest), count in counts.items())


def _worker(session: SessionSeen, member: FleetWorker) -> Worker:
    return Worker(
        session_id=session.session_id,
        slots=session.slots,
        leases=session.leases,
        pod=member.pod,
        draining=session.draining,
        drained=session.drained,
        chosen=member.chosen,
        leaving=member.leaving,
        ready=member.ready,
    )
