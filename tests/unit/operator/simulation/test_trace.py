"""A recorded history as CSV."""

import pytest

from taskfleet_operator.simulation.tasks import SimulatedTask
from taskfleet_operator.simulation.trace import TraceError, read_trace


def test_moments_and_kinds() -> None:
    lines = [
        "arrival,service,kind",
        "2026-03-01T09:00:02+00:00,0.5,send",
        "2026-03-01T10:00:00+01:00,4.2,resize",
        "",
        "2026-03-01T09:00:01,1,",
    ]

    assert read_trace(lines) == (
        SimulatedTask(arrival=0.0, service=4.2, kind="resize"),
        SimulatedTask(arrival=1.0, service=1.0, kind="task"),
        SimulatedTask(arrival=2.0, service=0.5, kind="send"),
    )


def test_seconds_without_kinds_count_from_the_first() -> None:
    assert [(task.arrival, task.service) for task in read_trace(["Arrival, Service", "107,2", "100,3"])] == [(0.0, 3.0), (7.0, 2.0)]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        pytest.param([], "line 1: the header must be .* not nothing", id="nothing"),
        pytest.param(["when,service"], "line 1: the header must be .* not when,service", id="another header"),
        pytest.param(["arrival,service,kind,more"], "line 1: the header", id="too much of a header"),
        pytest.param(["arrival,service"], "there is no task in it", id="no task"),
        pytest.param(["arrival,service", "1,2,3"], "line 2: 3 values where the header names 2", id="too many values"),
        pytest.param(["arrival,service", "1,1", "soon,2"], "line 3: arrival must be .* not 'soon'", id="no moment"),
        pytest.param(["arrival,service", "nan,2"], "line 2: arrival must be", id="not a number"),
        pytest.param(["arrival,service", "1,-2"], "line 2: service must be seconds, 0 or more, not '-2'", id="negative service"),
        pytest.param(["arrival,service", "1,x"], "line 2: service must be", id="service that is no number"),
    ],
)
def test_a_bad_line_is_named(lines: list[str], says: str) -> None:
    with pytest.raises(TraceError, match=says):
        read_trace(lines)
