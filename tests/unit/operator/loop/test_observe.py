from dataclasses import replace
from uuid import UUID

from taskfleet.measurements import AgeProfile
from taskfleet_operator.api.task_queue import QueueKey
from taskfleet_operator.loop.fleet import FleetState
from taskfleet_operator.loop.observe import observation_of, pods_of, startups
from taskfleet_operator.scaling import ARRIVED
from tests.unit.operator.facts import measurement, session, worker

KEY = QueueKey(namespace="media", name="episodes")


def test_sessions_and_workers_are_joined_by_pod() -> None:
    seen = measurement(session(1, leases=3), session(2, draining=True, drained=True), session(9, pod="somebody-elses"))
    fleet = FleetState(
        replicas=3, held=4, workers=(worker(1, ready=False), worker(2, chosen=True), worker(3), worker(4, leaving=True)), rollout=True
    )

    observation = observation_of(KEY, seen, fleet)

    found = [
        (each.session_id, each.leases, each.ready, each.draining, each.drained, each.chosen, each.leaving) for each in observation.workers
    ]
    assert found == [(UUID(int=1), 3, False, False, False, False, False), (UUID(int=2), 0, True, True, True, True, False)]
    assert (observation.queue, observation.replicas, observation.held, observation.rollout) == ("media/episodes", 3, 4, True)


def test_replicas_without_a_session_are_starting() -> None:
    fleet = FleetState(replicas=4, held=3, workers=(worker(1), worker(2), worker(3, leaving=True)))

    observation = observation_of(KEY, measurement(session(1), session(3)), fleet)

    assert (observation.starting, observation.held) == (3, 4)


def test_priorities_of_one_kind_and_age_are_added_up() -> None:
    ready = tuple(AgeProfile(kind="nap", priority=priority, counts=[5], ages=[age]) for priority, age in ((1, 10.0), (5, 10.0), (5, 20.0)))

    observation = observation_of(KEY, replace(measurement(), ready=ready), FleetState())

    assert [(each.count, each.oldest_seconds) for each in observation.ready] == [(10, 10.0), (5, 20.0)]


def test_arrivals_are_among_the_totals() -> None:
    observation = observation_of(KEY, measurement(), FleetState())

    assert {total.outcome: total.count for total in observation.totals} == {ARRIVED: 50, "succeeded": 30, "failed": 10}
    assert [(each.kind, each.count) for each in observation.running] == [("nap", 2)]


def test_startup_is_the_age_of_the_worker_less_that_of_its_session_unless_the_target_knows() -> None:
    fleet = FleetState(replicas=2, workers=(worker(1, age_seconds=63.0), worker(2, startup_seconds=7.0), worker(3, age_seconds=10.0)))
    seen = measurement(session(1, age_seconds=60), session(2), session(3, age_seconds=11), session(4))

    assert [(each.pod, each.seconds) for each in startups(seen, fleet)] == [("pod-1", 3.0), ("pod-2", 7.0), ("pod-3", 0.0)]


def test_startup_is_told_once() -> None:
    fleet, seen = FleetState(workers=(worker(1), worker(2))), measurement(session(1), session(2))

    observation = observation_of(KEY, seen, fleet, told={"pod-1"})

    assert observation.startup_seconds == (1.0,)


def test_pods_are_found_by_session() -> None:
    assert pods_of(measurement(session(1), session(2, pod=""))) == {UUID(int=1): "pod-1"}
