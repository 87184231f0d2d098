"""The Horizontal Pod Autoscaler's two paths, each rule with the numbers its documentation gives."""

from collections.abc import Iterable

import pytest

from taskfleet_operator.scaling import Behavior, RateUnit, ScalingRate, ScalingRules, Select
from taskfleet_operator.simulation.rivals.hpa import DOCUMENTED_BEHAVIOR, Hpa, HpaSpec, growth_limit, recommendation, shrink_limit


def syncs(metrics: Iterable[float], *, behavior: Behavior | None = None, start: int = 1, target: float = 10, most: int = 100) -> list[int]:
    """What a fleet grows to, one sync of 15 s a metric."""
    hpa = Hpa(HpaSpec(target=target, max_replicas=most, behavior=behavior))
    replicas = start
    course = []
    for number, metric in enumerate(metrics):
        replicas = hpa.sync(metric, replicas=replicas, now=15 * number)
        course.append(replicas)
    return course


@pytest.mark.parametrize(
    ("metric", "replicas", "wanted"),
    [
        pytest.param(600, 8, 60, id="metric over target, rounded up"),
        pytest.param(105, 10, 10, id="within a tenth above: as it is"),
        pytest.param(91, 10, 10, id="within a tenth below: as it is"),
        pytest.param(111, 10, 12, id="more than a tenth above"),
        pytest.param(0, 10, 0, id="nothing"),
    ],
)
def test_recommendation(metric: float, replicas: int, wanted: int) -> None:
    assert recommendation(metric, target=10, replicas=replicas) == wanted


def test_it_is_switched_off_at_zero_replicas() -> None:
    assert syncs([600, 600], start=0) == [0, 0]


def test_replicas_outside_the_bounds_are_put_right_first() -> None:
    assert syncs([5], start=120) == [100]


def test_nil_behavior_becomes_four_then_doubles() -> None:
    assert syncs([1000] * 7) == [4, 8, 16, 32, 64, 100, 100]


def test_nil_behavior_goes_on_growing_when_the_queue_is_empty() -> None:
    # One sight of 600 tasks is remembered for five minutes: the surplus grows after the work is done.
    assert syncs([600, 280, 0, 0, 0, 0]) == [4, 8, 16, 32, 60, 60]


def test_nil_behavior_forgets_after_five_minutes() -> None:
    course = syncs([600] + [0] * 22)

    assert course[20] == 60  # 300 s later the recommendation of the first sync still counts
    assert course[21] == 1


def test_behavior_written_out_grows_to_what_is_recommended_now() -> None:
    assert syncs([600, 280, 0, 0], behavior=DOCUMENTED_BEHAVIOR) == [5, 10, 10, 10]


def test_behavior_written_out_keeps_the_highest_of_five_minutes_on_the_way_down() -> None:
    course = syncs([1000] + [0] * 21, behavior=DOCUMENTED_BEHAVIOR, start=100)

    assert course[19] == 100
    assert course[20:] == [1, 1]


def test_half_a_behavior_is_filled_up_as_documented() -> None:
    assert syncs([600], behavior=Behavior()) == [5]
    assert syncs([600], behavior=Behavior(scale_up=ScalingRules())) == [5]


def test_stabilized_growth_takes_the_lowest_of_the_window() -> None:
    slow = Behavior(scale_up=ScalingRules(stabilization_seconds=60))

    assert syncs([10, 600, 600, 600, 600, 600], behavior=slow) == [1, 1, 1, 1, 5, 10]


def test_a_longer_period_counts_what_was_added_within_it() -> None:
    rules = ScalingRules(rates=(ScalingRate(unit=RateUnit.PODS, value=6, period_seconds=60),))

    assert syncs([1000] * 6, behavior=Behavior(scale_up=rules)) == [7, 7, 7, 7, 13, 13]


@pytest.mark.parametrize(
    ("select", "up", "down"),
    [
        pytest.param(Select.MAX, 20, 5, id="the most change"),
        pytest.param(Select.MIN, 14, 6, id="the least change"),
        pytest.param(Select.DISABLED, 10, 10, id="no change"),
    ],
)
def test_limits(select: Select, up: int, down: int) -> None:
    rates = (ScalingRate(unit=RateUnit.PODS, value=4, period_seconds=15), ScalingRate(unit=RateUnit.PERCENT, value=50, period_seconds=15))
    double = ScalingRate(unit=RateUnit.PERCENT, value=100, period_seconds=15)

    assert growth_limit(10, ScalingRules(select=select, rates=(rates[0], double)), (0, 0)) == up
    assert shrink_limit(10, ScalingRules(select=select, rates=rates), (0, 0)) == down
