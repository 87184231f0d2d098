import sys
from dataclasses import replace
from random import Random

import pytest

from taskfleet_operator.simulation.bound import lower_bound
from taskfleet_operator.simulation.engine import Simulation
from taskfleet_operator.simulation.plan import Planned, best_plan
from taskfleet_operator.simulation.tasks import SimulatedTask, Workload
from tests.unit.operator.simulation.stage import load, task


def batches() -> Workload:
    """Two batches of a hundred tasks of five seconds."""
    random = Random(7)
    arrivals = [600.0 * (number // 100) + random.uniform(0, 5) for number in range(200)]
    tasks = tuple(SimulatedTask(arrival=arrival, service=5.0) for arrival in sorted(arrivals))
    return Workload(name="batches", tasks=tasks, max_wait_seconds=100, max_pods=40, horizon_seconds=1200)


def test_a_plan_lets_nobody_be_late_and_lies_near_the_bound() -> None:
    workload = batches()
    plan, bound = best_plan(workload), lower_bound(workload)

    assert plan is not None
    assert bound is not None
    assert (plan.result.done, plan.result.late_percent, plan.result.killed) == (200, 0, 0)
    assert 1 <= plan.result.pod_seconds / bound.pod_seconds < 1.15


def test_a_plan_can_be_played_again() -> None:
    workload = batches()
    plan = best_plan(workload)

    assert plan is not None
    assert Simulation(workload, Planned(plan.pods)).run().pod_seconds == plan.result.pod_seconds


def test_pods_of_several_slots_are_planned_whole() -> None:
    plan = best_plan(replace(load(*(task(0, 10) for _ in range(40)), slots=4, goal=80), max_pods=5))

    assert plan is not None
    assert plan.result.most_pods <= 5
    assert plan.result.late_percent == 0


@pytest.mark.parametrize(
    "workload",
    [
        pytest.param(replace(load(*(task(0, 100) for _ in range(50)), goal=60), max_pods=1), id="even the bound is out of reach"),
        pytest.param(load(*(task(0, 1) for _ in range(5)), goal=10.2), id="whole pods with real starts come too late"),
    ],
)
def test_where_nobody_can_keep_the_goal_there_is_no_plan(workload: Workload) -> None:
    assert best_plan(workload) is None


def test_no_plan_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)

    assert best_plan(batches()) is None


def test_after_its_end_a_plan_keeps_one_pod_while_there_is_work() -> None:
    result = Simulation(load(task(0, 30)), Planned([1])).run()

    assert (result.done, result.most_pods) == (1, 1)
    assert result.pod_seconds == pytest.approx(41, abs=1)
