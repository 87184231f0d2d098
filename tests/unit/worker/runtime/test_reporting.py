import pytest

from taskfleet.models import Completion, Failure, Release
from taskfleet.words import ErrorCode, Outcome
from taskfleet_worker.rules.endings import Ending
from taskfleet_worker.runtime.reporting import told
from tests.support.workers import claimed_task

LEASE = claimed_task().lease


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
