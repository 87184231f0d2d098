"""KEDA's ScaledObject, held to what KEDA 2.20 did on a real API server."""

from statistics import fmean

import pytest

from taskfleet_operator.scaling import Behavior, RateUnit, ScalingRate, ScalingRules
from taskfleet_operator.simulation.engine import Simulation
from taskfleet_operator.simulation.result import Result
from taskfleet_operator.simulation.rivals.hpa import DOCUMENTED_BEHAVIOR
from taskfleet_operator.simulation.rivals.keda import Keda, ScaledObject
from taskfleet_operator.simulation.tasks import SimulatedTask, Workload
from tests.support.scaling import ready, seen

SEEDS = range(400)
HUNDRED_AT_ONCE = Behavior(scale_up=ScalingRules(rates=(ScalingRate(unit=RateUnit.PODS, value=100, period_seconds=15),)))


def seconds_to_hundred(*, polling: float = 30, behavior: Behavior | None = None) -> list[float]:
    """From 2,000 tasks in the queue to 100 replicas asked for, wherever in their periods KEDA and the HPA are."""
    spec = ScaledObject(target=10, max_replicas=100, polling_seconds=polling, behavior=behavior)
    return [_seconds_to(100, Keda(spec, name="keda", seed=seed)) for seed in SEEDS]


def _seconds_to(goal: int, keda: Keda) -> float:
    now, replicas = 0.0, 0
    while True:
        replicas = keda.orders(seen(ready=(ready(2000),), replicas=replicas), now=now).replicas
        if replicas >= goal:
            return now
        now += keda.tick_seconds


@pytest.mark.parametrize(
    ("polling", "behavior", "measured"),
    [
        pytest.param(30, None, 95.7, id="as it comes: a poll, a sync, five more syncs to double"),
        pytest.param(5, None, 86.6, id="polling faster helps little: the syncs are what takes time"),
        pytest.param(1, HUNDRED_AT_ONCE, 8.1, id="+100 pods in 15 s: one poll, one sync"),
    ],
)
def test_seconds_from_nothing_to_a_hundred(polling: float, behavior: Behavior | None, measured: float) -> None:
    times = seconds_to_hundred(polling=polling, behavior=behavior)

    # The measured means are of some twenty runs with a spread of up to 10 s each.
    assert fmean(times) == pytest.approx(measured, abs=3)
    assert max(times) <= polling + 15 + (75 if behavior is None else 0)
    assert max(times) >= 118 if polling == 30 else max(times) < 118.8


def six_hundred_tasks(behavior: Behavior | None, seed: int) -> Result:
    """600 tasks of half a second on four slots a pod, a target of 10, pods that start in a second or two."""
    workload = Workload(
        name="600",
        tasks=tuple(SimulatedTask(arrival=0.0, service=0.5) for _ in range(600)),
        max_wait_seconds=60,
        max_pods=100,
        slots_per_pod=4,
        startup_least=0,
        startup_most=1,
    )
    keda = Keda(ScaledObject(target=10, max_replicas=100, behavior=behavior), name="keda", seed=seed)
    return Simulation(workload, keda, seed=seed).run(moments=True)


def test_without_behavior_it_grows_on_an_empty_queue() -> None:
    # Measured: drained after 40 s by 8 pods, then grown to 49-60 on an empty queue; 13,534 pod-seconds.
    results = [six_hundred_tasks(None, seed) for seed in range(10)]
    at_the_end = [next(moment.replicas for moment in reversed(result.moments) if moment.at <= result.seconds) for result in results]

    assert min(result.seconds for result in results) < 40 < max(result.seconds for result in results)
    assert sorted(at_the_end)[5] == 8
    assert all(49 <= result.most_pods <= 60 for result in results)
    assert min(result.pod_seconds for result in results) < 13_534 < max(result.pod_seconds for result in results)


def test_with_behavior_written_out_it_does_not() -> None:
    # Measured: 1,442 pod-seconds: five pods, kept for five minutes.
    results = [six_hundred_tasks(DOCUMENTED_BEHAVIOR, seed) for seed in range(12)]

    assert {result.most_pods for result in results} == {5}
    assert min(result.pod_seconds for result in results) == pytest.approx(1_442, abs=2)
    assert max(result.pod_seconds for result in results) < 1_500


def polls(metrics: list[int], spec: ScaledObject, *, start: int) -> list[int]:
    """What KEDA's operator makes of a fleet, one poll a metric, with an HPA that is never synced."""
    keda = Keda(spec, name="keda")
    keda._next_sync = float("inf")
    replicas, course = start, []
    for metric in metrics:
        replicas = keda.orders(seen(ready=(ready(metric),), replicas=replicas), now=keda._next_poll).replicas
        course.append(replicas)
    return course


def test_a_poll_moves_between_none_and_one_only() -> None:
    assert polls([500, 500], ScaledObject(target=10, max_replicas=100), start=0) == [1, 1]


def test_to_none_only_after_the_cooldown() -> None:
    assert polls([1] + [0] * 11, ScaledObject(target=10, max_replicas=100), start=3) == [3] * 10 + [0, 0]


def test_never_active_means_no_cooldown() -> None:
    assert polls([0], ScaledObject(target=10, max_replicas=100), start=3) == [0]


def test_activation_is_a_threshold_of_its_own() -> None:
    assert polls([5, 6], ScaledObject(target=10, max_replicas=100, activation=5), start=0) == [0, 1]


def test_a_minimum_stays() -> None:
    assert polls([0, 0, 9], ScaledObject(target=10, max_replicas=100, min_replicas=2, cooldown_seconds=0), start=0) == [2, 2, 2]
