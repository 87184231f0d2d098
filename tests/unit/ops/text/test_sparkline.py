import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_ops.text.sparkline import resampled, sparkline


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param([0, 0], "▁▁", id="zeros lie on the ground"),
        pytest.param([0, 1, 2, 4, 8], "▁▂▃▅█", id="the largest value is the full bar"),
        pytest.param([5], "█", id="one value is its own scale"),
        pytest.param([-3, 3], "▁█", id="below zero there is no bar"),
    ],
)
def test_bars_show_the_shape(values: list[float], expected: str) -> None:
    actual = sparkline(values)

    assert actual == expected


def test_neighbours_are_averaged_when_there_is_no_room() -> None:
    actual = resampled([1, 3, 5, 7], width=2)

    assert actual == [2, 6]


@given(st.lists(st.floats(0, 1e9), max_size=300), st.integers(1, 80))
def test_it_never_needs_more_room_than_it_has(values: list[float], width: int) -> None:
    actual = sparkline(values, width=width)

    assert len(actual) == min(len(values), width)
