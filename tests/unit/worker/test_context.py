import pickle

import pytest

from taskfleet.models import LeaseNote
from taskfleet_worker import TaskStopped
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


def test_an_extension_counts_from_now_and_never_shortens() -> None:
    clock, said = Clock(), list[LeaseNote]()
    context = Context(claimed_task(timeout_seconds=30.0), clock=clock, hear=said.append)
    clock.now = 110.0
    context.extend(5.0)
    before = context.deadline
    context.extend(60.0)

    assert (before, context.deadline, context.seconds_left) == (130.0, 170.0, 60.0)
    assert [note.longer_seconds for note in said] == [5.0, 60.0]


def test_a_task_without_a_time_out_has_no_deadline_to_extend() -> None:
    said: list[LeaseNote] = []
    context = Context(claimed_task(), hear=said.append)
    context.extend(60.0)

    assert context.deadline is None
    assert said == [LeaseNote(lease=claimed_task().lease, longer_seconds=60.0)]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_progress_is_a_share(share: float) -> None:
    with pytest.raises(ValueError, match="share from 0 to 1"):
        Context(claimed_task()).progress(share)


def test_an_extension_is_more_than_nothing() -> None:
    with pytest.raises(ValueError, match="more than 0 seconds"):
        Context(claimed_task()).extend(0.0)


def test_a_stopped_task_is_left_on_request_only() -> None:
    context = Context(claimed_task())
    context.raise_if_cancelled()
    context.cancelled = True

    with pytest.raises(TaskStopped):
        context.raise_if_cancelled()


def test_a_context_crosses_to_another_process_without_its_line() -> None:
    said: list[LeaseNote] = []
    context = Context(claimed_task(timeout_seconds=30.0), hear=said.append)
    copy = pickle.loads(pickle.dumps(context))
    copy.progress(0.5)
    copy.hear_with(said.append)
    copy.progress(1.0)

    assert (copy.task, copy.deadline, copy.cancelled) == (context.task, context.deadline, False)
    assert [note.progress for note in said] == [{"share": 1.0}]


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
