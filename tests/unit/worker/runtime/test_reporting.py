import io
import json
import logging
from collections.abc import Iterator, Sequence

import pytest

from taskfleet.models import Completion, Failure, Release, Settled
from taskfleet.words import ErrorCode, Outcome
from taskfleet_worker.context import ids_of
from taskfleet_worker.rules.endings import Ending
from taskfleet_worker.rules.slots import Slots
from taskfleet_worker.runtime.reporting import Reporter, told
from taskfleet_worker.telemetry.logs import configure_logging
from taskfleet_worker.telemetry.metrics import WorkerMetrics
from tests.support.workers import claimed_task

LEASE = claimed_task().lease


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where a worker's lines go."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(level="INFO", form="json", common={"queue": "default"}, stream=(found := io.StringIO()))
    yield found
    root.handlers[:], root.level = handlers, level


def good(task_id: int) -> Ending:
    task = claimed_task(task_id)
    return Ending(task=task, record=Completion(lease=task.lease), seconds=0.0123, ended_at=0.0)


def bad(task_id: int) -> Ending:
    task = claimed_task(task_id)
    record = Failure(lease=task.lease, code=ErrorCode.EXECUTION_FAILED, message="no", retryable=True)
    return Ending(task=task, record=record, seconds=0.0123, ended_at=0.0)


def reporter() -> Reporter:
    return Reporter(WorkerMetrics(queue="default", kinds=("mail",)), Slots(10))


def said(records: Sequence[logging.LogRecord]) -> list[tuple[str, object, object]]:
    """Event, task and code of each record."""
    fields = [vars(record).get("fields", vars(record)) for record in records]
    return [(record.getMessage(), each["task_id"], each.get("code")) for record, each in zip(records, fields, strict=True)]


@pytest.mark.requirement("B3")
@pytest.mark.parametrize(
    ("record", "retried", "expected"),
    [
        pytest.param(Completion(lease=LEASE), False, ("task.completed", Outcome.SUCCEEDED, ""), id="a success"),
        pytest.param(
            Failure(lease=LEASE, code=ErrorCode.EXECUTION_FAILED, message="no", retryable=True),
            True,
            ("task.requeued", Outcome.RETRIED, "TASK_EXECUTION_FAILED"),
            id="a failure with attempts left",
        ),
        pytest.param(
            Failure(lease=LEASE, code=ErrorCode.EXECUTION_FAILED, message="no", retryable=True),
            False,
            ("task.failed", Outcome.FAILED, "TASK_EXECUTION_FAILED"),
            id="a failure of the last attempt",
        ),
        pytest.param(
            Failure(lease=LEASE, code=ErrorCode.CANCELLED, message="no"),
            False,
            ("task.cancelled", Outcome.CANCELLED, "TASK_CANCELLED"),
            id="a cancellation",
        ),
        pytest.param(
            Release(lease=LEASE, code=ErrorCode.OVERLOADED),
            True,
            ("task.requeued", Outcome.RELEASED, "TASK_OVERLOADED"),
            id="a task given back",
        ),
        pytest.param(
            Release(lease=LEASE, code=ErrorCode.OVERLOADED),
            False,
            ("task.failed", Outcome.FAILED, "TASK_EXPIRED"),
            id="a task given back after its time to wait was over",
        ),
    ],
)
def test_an_ending_is_told_by_what_became_of_it(
    record: Completion | Failure | Release, retried: bool, expected: tuple[str, Outcome, str]
) -> None:
    said = told(Ending(task=claimed_task(), record=record, seconds=0.1, ended_at=0.0), retried=retried)

    assert (said.event, said.outcome, said.code) == expected


@pytest.mark.requirement("B3")
def test_what_is_settled_is_told_task_by_task(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reporter().settled([good(1), bad(2), good(3), bad(4)], Settled(retried=[2]))

    assert sorted(said(caplog.records), key=lambda line: str(line[1])) == [
        ("task.completed", 1, None),
        ("task.requeued", 2, "TASK_EXECUTION_FAILED"),
        ("task.completed", 3, None),
        ("task.failed", 4, "TASK_EXECUTION_FAILED"),
    ]


@pytest.mark.requirement("B3")
def test_a_success_is_told_with_what_identifies_it_and_how_long_it_took(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reporter().settled([good(1)], Settled())

    (record,) = caplog.records
    assert vars(record)["fields"] == {**ids_of(claimed_task(1)), "duration_ms": 12.3}


@pytest.mark.requirement("B3")
def test_all_lines_are_out_when_the_settlement_is_told(stream: io.StringIO) -> None:
    reporter().settled([*(good(number) for number in range(100)), bad(100)], Settled())

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["task_id"] for line in lines] == list(range(101))
    assert lines[0] == {
        "time": lines[0]["time"],
        "level": "info",
        "event": "task.completed",
        "logger": "taskfleet.worker",
        "queue": "default",
        "task_id": 0,
        "kind": "mail",
        "attempt": 1,
        "trace_id": None,
        "duration_ms": 12.3,
    }


@pytest.mark.requirement("B3")
def test_a_success_whose_lease_was_lost_is_no_success(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reporter().settled([good(1), good(2), good(3)._replace(tries=1)], Settled(stale=[1, 3]))

    assert said(caplog.records) == [("task.lease_lost", 1, None), ("task.completed", 2, None), ("task.settled_before", 3, None)]


@pytest.mark.parametrize("level", ["INFO", "WARNING"])
def test_successes_are_counted_at_every_level(level: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(level)
    metrics = WorkerMetrics(queue="default", kinds=("mail",))
    Reporter(metrics, Slots(10)).settled([good(1), bad(2), good(3)], Settled())

    counts = {outcome: sum(histogram.counts) for (_, outcome), histogram in metrics.durations.items()}
    assert counts == {Outcome.SUCCEEDED: 2, Outcome.FAILED: 1}


@pytest.mark.requirement("B3")
def test_at_level_warning_only_what_went_wrong_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    reporter().settled([good(1), bad(2), bad(3)], Settled(retried=[2]))

    assert said(caplog.records) == [("task.failed", 3, "TASK_EXECUTION_FAILED")]
