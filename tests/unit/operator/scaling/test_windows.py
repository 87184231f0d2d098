import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_operator.scaling.windows import RecentLow


def window(*samples: tuple[float, float], keep: float = 100, gap: float = 1000) -> RecentLow:
    seen = RecentLow()
    for moment, value in samples:
        seen = seen.seen(value, at=moment, keep_seconds=keep, gap_seconds=gap)
    return seen


@pytest.mark.parametrize(
    ("samples", "seconds", "now", "expected"),
    [
        pytest.param([], 10, 0, None, id="nothing seen says nothing"),
        pytest.param([(0, 5)], 10, 8, None, id="a window that is not full says nothing"),
        pytest.param([(0, 5), (10, 7)], 10, 10, 5, id="the lowest of a full window counts"),
        pytest.param([(0, 5), (10, 7), (12, 9)], 10, 12, 7, id="older samples no longer count"),
        pytest.param([(0, 5), (10, 7), (12, 3)], 10, 12, 3, id="the newest may be the lowest"),
        pytest.param([(0, 5), (10, 7)], 10, 30, None, id="a window that nobody looked into says nothing"),
        pytest.param([(0, 5), (0, 5)], 0, 0, 5, id="the same sight twice changes nothing"),
    ],
)
def test_low(samples: list[tuple[float, float]], seconds: float, now: float, expected: float | None) -> None:
    assert window(*samples).low(seconds, now=now) == expected


def test_after_a_gap_the_window_starts_anew() -> None:
    seen = window((0, 5), (2, 5), (20, 5), gap=10)

    assert seen.low(10, now=20) is None
    assert seen.since == 20


def test_lowered_samples_stop_at_zero() -> None:
    assert window((0, 2), (1, 6)).lowered(3).samples == ((0, 0), (1, 3))


def test_lowering_by_nothing_changes_nothing() -> None:
    seen = window((0, 2))

    assert seen.lowered(0) is seen


@given(st.lists(st.tuples(st.floats(0.1, 20), st.integers(0, 50)), min_size=1, max_size=60), st.integers(1, 40))
def test_the_low_is_the_lowest_of_all_samples_in_the_window(steps: list[tuple[float, int]], seconds: int) -> None:
    seen, everything, now = RecentLow(), [], 0.0
    for step, value in steps:
        now += step
        everything.append((now, value))
        seen = seen.seen(value, at=now, keep_seconds=50, gap_seconds=100)
    inside = [value for moment, value in everything if moment >= now - seconds]

    assert seen.low(seconds, now=now) == (min(inside) if now - everything[0][0] >= seconds else None)
    assert list(seen.samples) == sorted(seen.samples, key=lambda sample: (sample[0], sample[1]))
