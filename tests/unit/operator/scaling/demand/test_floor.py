import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_operator.scaling import KindLimits, ScalingPolicy
from taskfleet_operator.scaling.demand.floor import NOTHING, Arriving, arriving, erlang_c, erlang_slots, worth_keeping
from tests.support.scaling import believed, policy


def of(rules: ScalingPolicy, *, rate: float = 2.0, service: float = 6.0, startup: float = 15.0, **more: object) -> Arriving:
    estimates = believed(service, rates={"task": rate}, startup=startup)
    return arriving(rules, estimates, breakers={}, planned_wait_seconds=0.7 * rules.max_wait_seconds, **more)  # type: ignore[arg-type]


def test_arrivals_keep_rate_times_service_slots_busy() -> None:
    assert of(policy(max_wait_seconds=60)).load == pytest.approx(12)
    assert of(policy(max_wait_seconds=60)).floor == pytest.approx(12)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        pytest.param(KindLimits(kind="task", max_concurrent=5), 5, id="a quota keeps fewer busy"),
        pytest.param(KindLimits(kind="task", rate_starts=30, rate_period_seconds=60), 3, id="a rate keeps fewer busy"),
        pytest.param(KindLimits(kind="other", max_concurrent=1), 12, id="another kind's quota is no matter"),
    ],
)
def test_limited_kinds_keep_fewer_busy(limit: KindLimits, expected: float) -> None:
    assert of(policy(kinds=(limit,))).load == pytest.approx(expected)


def test_a_breaker_keeps_its_probe_busy() -> None:
    estimates = believed(6.0, rates={"task": 2.0})

    assert arriving(policy(), estimates, breakers={"task": 1}, planned_wait_seconds=84).load == 1


def test_paused_kinds_keep_nobody() -> None:
    assert of(policy(), paused_kinds=frozenset({"task"})) == NOTHING


@pytest.mark.parametrize(
    ("rate", "service", "expected"),
    [
        pytest.param(1 / 60, 600, 0, id="one task of ten minutes a minute is worth no idle slot"),
        pytest.param(0.05, 5, 0, id="one short task in twenty seconds is worth none"),
        pytest.param(0.1, 5, 1, id="one in ten seconds is worth one"),
        pytest.param(3.8, 6, 32, id="3.8 tasks of six seconds a second are worth 32"),
    ],
)
def test_slots_are_worth_keeping_that_are_needed_again_before_a_restart(rate: float, service: float, expected: int) -> None:
    assert worth_keeping(rate, service_seconds=service, startup_seconds=15) == expected


def test_where_tasks_may_wait_a_queue_replaces_idle_slots() -> None:
    """23 slots are busy and 32 would be needed again; but tasks that may wait 24 s more need only 24."""
    wave = of(policy(max_wait_seconds=60), rate=3.8)

    assert wave.keep == 24


def test_rare_tasks_have_no_floor() -> None:
    assert of(policy(), rate=0.015, service=600).floor == 0


@pytest.mark.parametrize(
    ("load", "expected"), [pytest.param(10.0, 15, id="ten busy"), pytest.param(1.0, 4, id="one busy"), pytest.param(100.0, 117, id="many")]
)
def test_square_root_staffing_when_nobody_waits(load: float, expected: int) -> None:
    assert erlang_slots(load, wait_seconds=0, service_seconds=1) == pytest.approx(expected, abs=2)


@pytest.mark.parametrize(
    ("slots", "load", "expected"),
    [
        pytest.param(1, 0.5, 0.5, id="one server waits as often as it is busy"),
        pytest.param(2, 1.0, 1 / 3, id="two servers with one busy"),
        pytest.param(10, 8.0, 0.409, id="a textbook's ten"),
        pytest.param(3, 3.0, 1.0, id="overload always waits"),
    ],
)
def test_erlang_c(slots: int, load: float, expected: float) -> None:
    assert erlang_c(slots, load) == pytest.approx(expected, abs=0.001)


def test_a_goal_shorter_than_a_start_keeps_slots_in_advance() -> None:
    wave = of(policy(max_wait_seconds=10))

    assert wave.floor > wave.load
    assert wave.keep >= wave.floor


@given(st.floats(0.01, 200), st.floats(0, 100), st.floats(0.1, 100))
def test_patience_never_needs_more_slots(load: float, wait: float, service: float) -> None:
    patient = erlang_slots(load, wait_seconds=wait, service_seconds=service)

    assert load <= patient <= erlang_slots(load, wait_seconds=0, service_seconds=service)
