import pytest

from taskfleet_worker.context import Context, trace_id_of
from tests.support.workers import claimed_task

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_context_shows_its_task() -> None:
    task = claimed_task(7, entity="e", group="g", attempt=2, headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    context = Context(task)

    assert (context.task_id, context.kind, context.attempt, context.max_attempts) == (7, "mail", 2, 3)
    assert (context.entity, context.group, context.trace_id, context.cancelled) == ("e", "g", TRACE, False)
    assert context.logger.name == "taskfleet.tasks.mail"


def test_headers_are_never_none() -> None:
    assert Context(claimed_task()).headers == {}


def test_seconds_left_run_down_to_zero() -> None:
    clock = Clock()
    context = Context(claimed_task(timeout_seconds=30.0), clock=clock)
    clock.now = 110.0
    soon = context.seconds_left
    clock.now = 200.0

    assert (soon, context.seconds_left) == (20.0, 0.0)
    assert Context(claimed_task()).seconds_left is None


@pytest.mark.requirement("B3")
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, None),
        ({}, None),
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"traceparent": "nonsense"}, None),
        ({"traceparent": "00-short-00f067aa0ba902b7-01"}, None),
        ({"traceparent": 7}, None),
    ],
)
def test_the_trace_id_comes_from_traceparent(headers: dict[str, str] | None, expected: str | None) -> None:
    assert trace_id_of(headers) == expected
