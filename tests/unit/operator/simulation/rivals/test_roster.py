"""Every controller, set up by name, finishes every task of a small load; and what the names mean."""

from random import Random

import pytest

from taskfleet_operator.scaling import Lanes
from taskfleet_operator.simulation.best_keda import SHARES, KedaSetting, Trial, best, settings, tried
from taskfleet_operator.simulation.engine import Simulation
from taskfleet_operator.simulation.result import Result
from taskfleet_operator.simulation.rivals.roster import CONTROLLERS, about, controller, known, mean_service, scaled_object
from taskfleet_operator.simulation.tasks import SimulatedTask, Workload


def load(*, tasks: int = 400, seconds: float = 600.0, slots: int = 1) -> Workload:
    random = Random(7)
    arrivals = sorted(random.uniform(0, seconds) for _ in range(tasks))
    return Workload(
        name="load",
        tasks=tuple(SimulatedTask(arrival=at, service=random.uniform(1, 9)) for at in arrivals),
        max_wait_seconds=60,
        max_pods=20,
        slots_per_pod=slots,
        horizon_seconds=seconds,
        lanes=Lanes(fresh_seconds=1e9),
    )


@pytest.mark.parametrize("slots", [1, 4])
@pytest.mark.parametrize("name", [*CONTROLLERS, "fixed:5"])
def test_each_finishes_every_task(name: str, slots: int) -> None:
    workload = load(slots=slots)
    result = Simulation(workload, controller(name, workload, seed=3), seed=3).run()

    assert (result.done, result.final_pods) == (400, 0)
    assert result.most_pods <= 20
    assert result.pod_seconds * slots >= sum(task.service for task in workload.tasks)


def test_names() -> None:
    assert known("keda")
    assert known("fixed:12")
    assert not known("fixed:0")
    assert not known("fixed:")
    assert not known("other")
    assert about("fixed:12") == "12 pods all the time"
    assert about("keda") == "KEDA and HPA, defaults, nil behavior"


def test_the_target_is_what_a_pod_gets_done_in_its_share_of_the_goal() -> None:
    workload = load(slots=4)

    assert scaled_object(workload, share=0.5).target == pytest.approx(0.5 * 4 * 60 / mean_service(workload))


def test_a_job_runs_as_many_tasks_as_it_has_slots_and_ends() -> None:
    workload = Workload(
        name="burst",
        tasks=tuple(SimulatedTask(arrival=0.0, service=10.0) for _ in range(41)),
        max_wait_seconds=60,
        max_pods=20,
        slots_per_pod=4,
        startup_least=10,
        startup_most=10,
    )
    result = Simulation(workload, controller("scaled-job", workload), seed=1).run()

    # Eleven jobs, each 10 s to start and 10 s to run.
    assert (result.most_pods, result.pod_seconds, result.killed) == (11, 220.0, 0)


def test_always_max_costs_the_most_and_nobody_waits() -> None:
    workload = load()
    result = Simulation(workload, controller("always-max", workload)).run()

    assert result.pod_seconds == pytest.approx(20 * 600, rel=0.05)
    assert result.late_percent == 0


def trial(setting: KedaSetting, *, late: int, cost: float) -> Trial:
    waits = [99.0] * late + [0.0] * (100 - late)
    result = Result(workload="w", controller="c", tasks=100, pod_seconds=cost, waits=waits, max_wait_seconds=10)
    return Trial(setting=setting, results=[result])


def test_the_best_setting_is_the_cheapest_that_is_in_time() -> None:
    one, two, three, *_ = settings()
    dear, cheap, late = trial(one, late=0, cost=300), trial(two, late=0, cost=200), trial(three, late=9, cost=100)

    assert best([dear, cheap, late]) is cheap
    assert best([late, trial(one, late=20, cost=50)]) is late


def test_the_search_tries_both_paths_of_the_hpa() -> None:
    options = list(settings())

    assert len(options) == 4 * len(SHARES)
    assert tried(options[0], [load(tasks=50, seconds=100)]).results[0].done == 50
    assert str(options[1]) == "1 of the goal, polled every 5 s, behavior written out"
