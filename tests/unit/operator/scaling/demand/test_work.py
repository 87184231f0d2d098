import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_operator.scaling import KindLimits, Lanes, QueueObservation, ScalingPolicy, StopPolicy
from taskfleet_operator.scaling.demand.work import Goal, Work, admissible_work, fresh_goal
from tests.support.scaling import believed, policy, ready, seen


def work(
    sight: QueueObservation,
    rules: ScalingPolicy | None = None,
    *,
    service: float = 10.0,
    running: dict[str, int] | None = None,
    breakers: dict[str, int] | None = None,
) -> Work:
    kinds = {"task", *(bucket.kind for bucket in sight.ready)}
    estimates = believed(dict.fromkeys(kinds, service))
    return admissible_work(sight, rules or policy(), estimates, running=running or {}, breakers=breakers or {})


def test_each_deadline_contains_the_older_ones() -> None:
    lane = work(seen(ready=(ready(5, age=0), ready(3, age=40), ready(2, age=20)))).fresh

    assert [(round(due.slack_seconds), due.total) for due in lane.due] == [(44, 3), (64, 5), (84, 10)]
    assert lane.oldest_seconds == 40


def test_slack_never_falls_below_what_a_new_worker_needs() -> None:
    goal = fresh_goal(policy(max_wait_seconds=120, tick_seconds=2), believed(startup=30.0))

    assert goal.slack(0) == pytest.approx(84)
    assert goal.slack(60) == 33
    assert goal.slack(9999) == 33


def test_slack_never_falls_below_a_quarter_of_the_goal() -> None:
    assert Goal(wait_seconds=400, least_slack_seconds=18).slack(9999) == 100


def test_work_at_the_floor_of_the_slack_is_pressing() -> None:
    lane = work(seen(ready=(ready(1, age=0), ready(1, age=500)))).fresh

    assert [due.pressing for due in lane.due] == [True, False]


def test_a_goal_shorter_than_a_start_has_one_slack() -> None:
    assert Goal(wait_seconds=5, least_slack_seconds=18).urgency(3) == 18


def test_old_tasks_go_to_the_stale_lane_with_their_own_goal() -> None:
    both = work(seen(ready=(ready(5, age=800), ready(3, age=1000))), policy(lanes=Lanes(fresh_seconds=900, stale_wait_seconds=3600)))

    assert both.fresh.total == 5
    assert both.stale.total == 3
    assert both.total == 8
    assert both.stale.due[0].slack_seconds == pytest.approx(0.7 * 3600 - 100, rel=0.03)


QUOTA = (KindLimits(kind="task", max_concurrent=20),)
RATE = (KindLimits(kind="task", rate_starts=30, rate_period_seconds=60),)


@pytest.mark.parametrize(
    ("kinds", "running", "expected"),
    [
        pytest.param((), 0, 10_000, id="without limits all count"),
        pytest.param(QUOTA, 0, 20 + 20 * 8.4, id="a quota admits what fits now and what its slots finish in time"),
        pytest.param(QUOTA, 20, 20 * 8.4, id="a full quota admits what its slots finish in time"),
        pytest.param(QUOTA, 25, 20 * 8.4, id="an overfull quota too"),
        pytest.param(RATE, 0, 0.5 * 84, id="a rate admits what it lets start in time"),
        pytest.param((KindLimits(kind="task", max_concurrent=500, rate_starts=1),), 0, 84, id="the lower of both counts"),
        pytest.param((KindLimits(kind="other", max_concurrent=1),), 0, 10_000, id="another kind's quota is no matter"),
    ],
)
def test_admissible(kinds: tuple[KindLimits, ...], running: int, expected: float) -> None:
    """120 s to start, so 84 s of slack: with tasks of 10 s that is 8.4 rounds."""
    waiting = work(seen(ready=(ready(10_000),)), policy(kinds=kinds), running={"task": running})

    assert waiting.total == pytest.approx(expected)


@pytest.mark.parametrize("kinds", [pytest.param((), id="no quota"), pytest.param((KindLimits(kind="task", max_concurrent=9),), id="quota")])
def test_a_breaker_is_a_quota(kinds: tuple[KindLimits, ...]) -> None:
    waiting = work(seen(ready=(ready(100),)), policy(kinds=kinds), breakers={"task": 1})

    assert waiting.total == pytest.approx(1 + 8.4)


@pytest.mark.parametrize(
    ("sight", "rules"),
    [
        pytest.param(seen(), policy(), id="nothing waits"),
        pytest.param(seen(ready=(ready(0),)), policy(), id="an empty bucket"),
        pytest.param(seen(ready=(ready(5),), paused=True), policy(), id="the queue is paused"),
        pytest.param(seen(ready=(ready(5),), paused_kinds=frozenset({"task"})), policy(), id="the kind is paused"),
        pytest.param(seen(ready=(ready(5),)), policy(stop=StopPolicy.HOLD), id="the queue is held"),
    ],
)
def test_no_demand(sight: QueueObservation, rules: ScalingPolicy) -> None:
    waiting = work(sight, rules)

    assert waiting.total == 0
    assert waiting.fresh.all is None


@given(st.floats(0, 1e6), st.floats(0, 1e5), st.floats(1, 1e4), st.floats(0.1, 500))
def test_older_is_never_less_urgent(age: float, more: float, wait: float, least: float) -> None:
    goal = Goal(wait_seconds=wait, least_slack_seconds=least)

    assert goal.urgency(age + more) <= goal.urgency(age) <= goal.slack(age) + 1e-9
