import pytest

from taskfleet_operator.scaling.demand.work import Goal, Lane, Work
from taskfleet_operator.scaling.surplus.taper import calm_need, surplus
from taskfleet_operator.scaling.windows import RecentLow
from tests.support.scaling import at, due

GOAL = Goal(wait_seconds=300, least_slack_seconds=18)
NONE = Lane()


def calm(*, waiting: float = 0.0, slack: float = 210.0, service: float = 5.0, load: float = 0.0, stale: Lane = NONE) -> float | None:
    lane = Lane(due=(due(waiting, slack),)) if waiting else NONE
    return calm_need(Work(fresh=lane, stale=stale), {"task": service}, goal=GOAL, load=load, typical_seconds=5.0 if waiting else service)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(calm(), 0, id="nothing waits"),
        pytest.param(calm(service=200), None, id="nothing waits and tasks are long"),
        pytest.param(calm(load=4), 8, id="arrivals keep a + 2√a"),
        pytest.param(calm(waiting=100), 100 * 1.2 * 5 / 126, id="a hundred and twenty tasks within six tenths of the slack"),
        pytest.param(calm(waiting=100, slack=75), 100 * 1.2 * 5 / 9, id="near the deadline within half the least slack"),
        pytest.param(calm(waiting=100, service=105), None, id="long tasks do not taper"),
        pytest.param(calm(stale=Lane(due=(due(1, 900),))), None, id="stale tasks take what is left over"),
    ],
)
def test_calm_need(found: float | None, expected: float | None) -> None:
    assert found == (None if expected is None else pytest.approx(expected))


def test_work_whose_quota_is_full_needs_nobody() -> None:
    assert calm_need(Work(fresh=Lane(due=(due(0, 210),)), stale=NONE), {"task": 5.0}, goal=GOAL, load=0, typical_seconds=5) == 0


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        pytest.param([10] * 3, 0, id="four seconds are too short"),
        pytest.param([10] * 4, 30, id="six seconds of need for ten make thirty of forty free"),
        pytest.param([30, 10, 10, 10], 10, id="the most of the window counts"),
        pytest.param([34] * 4, 0, id="less than fifteen percent are not worth it"),
        pytest.param([33.2] * 4, 0, id="needs are whole slots"),
    ],
)
def test_surplus(needs: list[float], expected: int) -> None:
    window = RecentLow()
    for index, need in enumerate(needs):
        window = window.seen(-need, at=at(seconds=2 * index), keep_seconds=10, gap_seconds=10)

    assert surplus(window, slots=40, seconds=6, now=at(seconds=2 * len(needs) - 2)) == expected
