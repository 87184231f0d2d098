from collections.abc import Callable
from random import Random
from statistics import fmean

import pytest

from taskfleet_operator.simulation import stories
from taskfleet_operator.simulation.tasks import Workload
from taskfleet_operator.simulation.workloads import FIVE

STORIES: dict[str, Callable[..., Workload]] = {
    "overload": stories.overload,
    "saturation": stories.saturation,
    "very long": stories.very_long,
    "short goal": stories.short_goal,
    "mixed": stories.mixed,
    "lanes": stories.lanes,
}


@pytest.mark.parametrize("name", ["bursty", "hourly", "long", *STORIES])
def test_a_workload_comes_in_order_and_from_its_seed(name: str) -> None:
    make = (FIVE | STORIES)[name]
    workload, again, other = make(Random(7)), make(Random(7)), make(Random(8))
    arrivals = [task.arrival for task in workload.tasks]

    assert workload == again != other
    assert arrivals == sorted(arrivals)


@pytest.mark.parametrize(
    ("name", "mean", "rate"),
    [("bursty", 4, None), ("hourly", 5, None), ("step", 4, None), ("daily", 6, 2.0), ("long", 540, None)],
)
def test_the_means_are_those_of_the_table(name: str, mean: float, rate: float | None) -> None:
    workload = FIVE[name](Random(3))

    # Ten-minute tasks are cut at two hours, which takes a few per cent off their heavy tail.
    assert fmean(task.service for task in workload.tasks) == pytest.approx(mean, rel=0.25 if name == "long" else 0.05)
    if rate is not None:
        assert len(workload.tasks) / workload.horizon_seconds == pytest.approx(rate, rel=0.02)


def test_more_slots_a_pod_mean_more_arrivals() -> None:
    assert len(FIVE["hourly"](Random(1), slots=4).tasks) == pytest.approx(4 * len(FIVE["hourly"](Random(1)).tasks), rel=0.02)


def test_three_queues_share() -> None:
    assert [len(one.tasks) for one in stories.shared(Random(1), part=8)] == [1000, 500, 750]


def test_the_downstreams_are_those_of_the_story() -> None:
    flooded, silent = stories.flooded_downstream(), stories.silent_downstream()
    task = stories.saturation(Random(1), tasks=1).tasks[0]

    refused = [flooded.attempt(task, now=0, running=1).end.value for _ in range(21)][-1]
    assert refused == "overloaded"
    assert silent.attempt(task, now=0, running=40).seconds == pytest.approx(2 * task.service)
