import pytest

from taskfleet_operator.scaling import Behavior, RateUnit, ScalingRate, ScalingRules, Select
from taskfleet_operator.scaling.limits.behavior import changed, limited, wished
from taskfleet_operator.scaling.memory import BehaviorMemory, ScaleEvent
from tests.support.scaling import at

PODS = ScalingRate(unit=RateUnit.PODS, value=4, period_seconds=60)
PERCENT = ScalingRate(unit=RateUnit.PERCENT, value=50, period_seconds=60)


def up(*rates: ScalingRate, select: Select = Select.MAX) -> Behavior:
    return Behavior(scale_up=ScalingRules(rates=rates, select=select))


def down(*rates: ScalingRate, select: Select = Select.MAX) -> Behavior:
    return Behavior(scale_down=ScalingRules(rates=rates, select=select))


@pytest.mark.parametrize(
    ("behavior", "replicas", "desired", "expected"),
    [
        pytest.param(Behavior(), 10, 99, 99, id="without behavior up is free"),
        pytest.param(Behavior(), 10, 0, 0, id="without behavior down is free"),
        pytest.param(up(PODS), 10, 99, 14, id="four pods a minute up"),
        pytest.param(up(PERCENT), 10, 99, 15, id="half a minute up"),
        pytest.param(up(PODS, PERCENT), 10, 99, 15, id="the larger of both up"),
        pytest.param(up(PODS, PERCENT, select=Select.MIN), 10, 99, 14, id="the smaller of both up"),
        pytest.param(up(select=Select.DISABLED), 10, 99, 10, id="up disabled"),
        pytest.param(up(PODS), 10, 12, 12, id="less than allowed up"),
        pytest.param(up(PODS), 10, 0, 0, id="rules for up leave down free"),
        pytest.param(up(), 10, 99, 99, id="rules without rates leave up free"),
        pytest.param(down(PODS), 10, 0, 6, id="four pods a minute down"),
        pytest.param(down(PERCENT), 10, 0, 5, id="half a minute down"),
        pytest.param(down(PODS, PERCENT), 10, 0, 5, id="the larger of both down"),
        pytest.param(down(PODS, PERCENT, select=Select.MIN), 10, 0, 6, id="the smaller of both down"),
        pytest.param(down(select=Select.DISABLED), 10, 0, 10, id="down disabled"),
        pytest.param(down(), 10, 0, 0, id="rules without rates leave down free"),
    ],
)
def test_rates(behavior: Behavior, replicas: int, desired: int, expected: int) -> None:
    assert limited(behavior, BehaviorMemory(), desired=desired, replicas=replicas, now=at()) == expected


def test_changes_within_the_period_count() -> None:
    memory = BehaviorMemory(events=(ScaleEvent(at=at(), change=3), ScaleEvent(at=at(), change=-1)))

    assert limited(up(PODS), memory, desired=99, replicas=13, now=at(seconds=59)) == 14
    assert limited(up(PODS), memory, desired=99, replicas=13, now=at(seconds=60)) == 17
    assert limited(down(PODS), memory, desired=0, replicas=9, now=at(seconds=59)) == 6


def test_down_waits_for_the_highest_wish_of_the_window() -> None:
    calm = Behavior(scale_down=ScalingRules(stabilization_seconds=300))
    memory = wished(calm, BehaviorMemory(), desired=10, now=at())
    memory = wished(calm, memory, desired=2, now=at(seconds=30))

    assert limited(calm, memory, desired=2, replicas=10, now=at(seconds=30)) == 10
    memory = wished(calm, memory, desired=2, now=at(seconds=60))
    memory = wished(calm, memory, desired=2, now=at(minutes=6))
    assert limited(calm, memory, desired=2, replicas=10, now=at(minutes=6)) == 2


def test_up_waits_for_the_lowest_wish_of_the_window() -> None:
    calm = Behavior(scale_up=ScalingRules(stabilization_seconds=60))
    memory = wished(calm, BehaviorMemory(), desired=4, now=at())
    memory = wished(calm, memory, desired=9, now=at(seconds=30))

    assert limited(calm, memory, desired=9, replicas=3, now=at(seconds=30)) == 4


def test_events_are_kept_as_long_as_a_rate_looks_back() -> None:
    behavior = up(PODS)
    memory = changed(behavior, BehaviorMemory(), change=2, now=at())
    memory = changed(behavior, memory, change=0, now=at(seconds=30))

    assert memory.events == (ScaleEvent(at=at(), change=2),)
    assert changed(behavior, memory, change=0, now=at(seconds=60)).events == ()


def test_without_behavior_nothing_is_remembered() -> None:
    memory = wished(Behavior(), BehaviorMemory(), desired=4, now=at())

    assert changed(Behavior(), memory, change=3, now=at()) == BehaviorMemory()
