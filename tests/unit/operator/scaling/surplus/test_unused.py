import pytest

from taskfleet_operator.scaling.surplus.unused import observe_unused, quick_window, slow_window, unused
from taskfleet_operator.scaling.windows import RecentLow
from tests.support.scaling import at, slots


def watched(idle: list[int], *, keep: int, startup: float = 15.0) -> int:
    """How many slots may go after these idle counts, two seconds apart, of a fleet of forty."""
    window, now = RecentLow(), at()
    for index, count in enumerate(idle):
        now = at(seconds=2 * index)
        window = observe_unused(window, count, now=now, startup_seconds=startup, tick_seconds=2)
    return unused(window, slots(busy=40 - idle[-1], idle=idle[-1]), keep=keep, now=now, startup_seconds=startup, tick_seconds=2).slots


@pytest.mark.parametrize(
    ("idle", "keep", "expected"),
    [
        pytest.param([9] * 3, 0, 0, id="four seconds are no window"),
        pytest.param([9] * 4, 0, 9, id="six seconds are"),
        pytest.param([9, 9, 9, 2, 9, 9, 9], 0, 2, id="the lowest of the window counts"),
        pytest.param([9] * 6, 35, 5, id="what arrivals are worth stays"),
        pytest.param([9] * 6, 99, 0, id="all of it if need be"),
        pytest.param([9] * 16, 99, 9, id="until it was unused for two start-ups"),
        pytest.param([9] * 15, 99, 0, id="and not sooner"),
        pytest.param([0] * 6, 0, 0, id="busy slots never go"),
    ],
)
def test_unused(idle: list[int], keep: int, expected: int) -> None:
    assert watched(idle, keep=keep) == expected


def test_starting_slots_are_unused() -> None:
    window = RecentLow()
    for index in range(6):
        window = observe_unused(window, 7, now=at(seconds=2 * index), startup_seconds=15, tick_seconds=2)

    assert unused(window, slots(starting=7), keep=0, now=at(seconds=10), startup_seconds=15, tick_seconds=2).slots == 7


@pytest.mark.parametrize(("startup", "expected"), [pytest.param(5, 20, id="at least 20 s"), pytest.param(40, 80, id="two start-ups")])
def test_slow_window(startup: float, expected: float) -> None:
    assert slow_window(startup) == expected


@pytest.mark.parametrize(("tick", "expected"), [pytest.param(2, 6, id="six seconds"), pytest.param(15, 15, id="at least a tick")])
def test_quick_window(tick: float, expected: float) -> None:
    assert quick_window(tick) == expected
