import pytest

from taskfleet_operator.scaling.estimates.startup import remembered, startup_seconds


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        pytest.param((), 15.0, id="fifteen seconds until one is known"),
        pytest.param((4.0,), 4.0, id="one is all"),
        pytest.param(tuple(float(second) for second in range(10, 0, -1)), 9.0, id="ten of one to ten seconds say nine"),
    ],
)
def test_startup_seconds(times: tuple[float, ...], expected: float) -> None:
    assert startup_seconds(times) == expected


def test_the_last_twenty_are_remembered() -> None:
    assert remembered(tuple(range(20)), (20, 21)) == tuple(range(2, 22))


def test_nothing_new_changes_nothing() -> None:
    times = (1.0, 2.0)

    assert remembered(times, ()) is times
