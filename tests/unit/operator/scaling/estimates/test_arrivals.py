from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_operator.scaling.estimates.arrivals import arrived, window_seconds
from taskfleet_operator.scaling.memory import KindMemory


def after(counts: list[int], *, rate: float = 0.0, window: float = 120.0) -> KindMemory:
    known = KindMemory(arrival_rate=rate)
    for count in counts:
        known = arrived(known, count, seconds=2.0, window_seconds=window)
    return known


def test_a_steady_stream_is_learned() -> None:
    assert after([24] * 600).arrival_rate == pytest.approx(12.0, rel=0.01)


def test_a_batch_is_backlog_and_no_rate() -> None:
    """From nothing, a batch of 88,000 counts as 3: m = 0, 3m + 3√m + 3."""
    assert after([88_000]).arrival_rate == pytest.approx((1 - exp(-2 / 120)) * 3 / 2)


def test_the_rate_drops_at_once_when_arrivals_stop() -> None:
    assert after([24] * 600 + [0] * 4).arrival_rate == 0.0


def test_a_lull_of_three_ticks_is_chance() -> None:
    assert after([24] * 600 + [0] * 3).arrival_rate > 11


def test_a_thin_stream_that_stops_is_noticed_within_six_ticks() -> None:
    """Two a second: no single tick of two seconds can be three deviations below four, six together can be below 24."""
    assert after([4] * 600 + [0] * 6).arrival_rate < 0.7
    assert after([4] * 600 + [0, 1] * 6).arrival_rate < 0.5
    assert after([4] * 600 + [2, 1, 2, 1, 2, 2]).arrival_rate > 1.7


def test_the_last_six_ticks_are_kept() -> None:
    assert after([2, 4, 6, 8, 10, 12, 14]).recent_rates == (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)


@pytest.mark.parametrize(
    ("goal", "service", "expected"),
    [
        pytest.param(10, 1, 60, id="at least a minute"),
        pytest.param(60, 1, 120, id="twice the goal"),
        pytest.param(60, 300, 600, id="twice the service time"),
        pytest.param(3600, 1, 1800, id="at most half an hour"),
    ],
)
def test_window(goal: float, service: float, expected: float) -> None:
    assert window_seconds(goal, service) == expected


@given(st.lists(st.integers(0, 100_000), max_size=40), st.floats(0, 50))
def test_a_rate_is_never_negative_nor_above_what_arrived(counts: list[int], rate: float) -> None:
    assert 0 <= after(counts, rate=rate).arrival_rate <= max([rate, *(count / 2 for count in counts)]) + 1e-9
