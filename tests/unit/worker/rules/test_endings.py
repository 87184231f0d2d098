import pytest

from taskfleet.models import Failure, Release
from taskfleet.words import ErrorCode
from taskfleet_worker.errors import (
    EntityNotFound,
    Overloaded,
    PayloadInvalid,
    PayloadUnsupported,
    PreconditionFailed,
    RetryLater,
    TaskError,
)
from taskfleet_worker.payload import PayloadRefusedError
from taskfleet_worker.rules.endings import (
    Ending,
    StopReason,
    pause_of,
    record_of_error,
    record_of_missing_entity,
    record_of_refused_write,
    record_of_stop,
    record_of_unknown_kind,
)
from tests.support.workers import claimed_task

TASK = claimed_task(entity="episode-1", timeout_seconds=30.0)


def failure_of(error: BaseException) -> Failure:
    record = record_of_error(TASK, error, overload_pause_seconds=1.0)
    assert isinstance(record, Failure)
    assert record.lease == TASK.lease
    return record


@pytest.mark.requirement("B6")
@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        pytest.param(EntityNotFound("x"), ErrorCode.ENTITY_NOT_FOUND, False, id="a missing entity"),
        pytest.param(PayloadInvalid("no"), ErrorCode.PAYLOAD_INVALID, False, id="a payload without sense"),
        pytest.param(PayloadUnsupported("no"), ErrorCode.PAYLOAD_UNSUPPORTED, False, id="a payload that is not done"),
        pytest.param(PreconditionFailed("no"), ErrorCode.PRECONDITION_FAILED, False, id="a precondition"),
        pytest.param(PayloadRefusedError(ErrorCode.PAYLOAD_MISSING, "no"), ErrorCode.PAYLOAD_MISSING, False, id="no payload"),
        pytest.param(ValueError("no"), ErrorCode.EXECUTION_FAILED, True, id="any other error is tried again"),
        pytest.param(TaskError("no"), ErrorCode.EXECUTION_FAILED, True, id="a task error of one's own"),
        pytest.param(TimeoutError(), ErrorCode.EXECUTION_FAILED, True, id="an error without words"),
        pytest.param(SystemExit(3), ErrorCode.EXECUTION_FAILED, True, id="leaving the process"),
    ],
)
def test_what_a_handler_raises_decides_code_and_retry(error: BaseException, code: ErrorCode, retryable: bool) -> None:
    failure = failure_of(error)

    assert (failure.code, failure.retryable) == (code, retryable)


def test_only_errors_that_surprise_keep_their_stack() -> None:
    try:
        raise ValueError("wrong turn")
    except ValueError as error:
        failure = failure_of(error)

    assert failure.message == "ValueError: wrong turn"
    assert failure.stack is not None
    assert "wrong turn" in failure.stack
    assert failure_of(PreconditionFailed("not paid")).stack is None
    assert failure_of(TimeoutError()).message == "TimeoutError"


@pytest.mark.requirement("A5")
def test_a_missing_entity_is_named_by_the_error_or_else_by_the_task() -> None:
    assert failure_of(EntityNotFound("other")).missing_entity == "other"
    assert failure_of(EntityNotFound()).missing_entity == "episode-1"
    assert failure_of(PayloadInvalid("no")).missing_entity is None


@pytest.mark.requirement("B6")
def test_an_overload_answer_releases_the_task_and_pauses_the_slot() -> None:
    with_header = record_of_error(TASK, Overloaded(retry_after=7.5), overload_pause_seconds=1.0)
    without = record_of_error(TASK, Overloaded(), overload_pause_seconds=1.0)

    assert with_header == Release(lease=TASK.lease, code=ErrorCode.OVERLOADED, delay_seconds=7.5)
    assert without == Release(lease=TASK.lease, code=ErrorCode.OVERLOADED, delay_seconds=1.0)
    assert pause_of(Overloaded(retry_after=7.5), default=1.0) == 7.5
    assert pause_of(Overloaded(), default=1.0) == 1.0
    assert pause_of(Overloaded(retry_after=-3), default=1.0) == 0.0


def test_retry_later_releases_the_task_and_lets_the_slot_go_on() -> None:
    record = record_of_error(TASK, RetryLater(60.0), overload_pause_seconds=1.0)

    assert record == Release(lease=TASK.lease, code=ErrorCode.RETRY_LATER, delay_seconds=60.0)
    assert pause_of(RetryLater(60.0), default=1.0) == 0.0


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        pytest.param(StopReason.LEASE_LOST, None, id="a lost lease has nothing to say"),
        pytest.param(StopReason.CANCELLED, (ErrorCode.CANCELLED, False), id="a cancelled task ends"),
        pytest.param(StopReason.TIMED_OUT, (ErrorCode.TIMED_OUT, True), id="a task that ran too long is tried again"),
    ],
)
def test_why_a_handler_was_stopped_decides_what_is_told(reason: StopReason, expected: tuple[ErrorCode, bool] | None) -> None:
    record = record_of_stop(TASK, reason)

    assert (record and isinstance(record, Failure) and (record.code, record.retryable)) == expected


def test_a_shutdown_releases_at_once() -> None:
    assert record_of_stop(TASK, StopReason.SHUTDOWN) == Release(lease=TASK.lease, code=ErrorCode.SHUTDOWN)


@pytest.mark.requirement("A5")
def test_a_short_circuited_task_does_not_renew_the_memory() -> None:
    record = record_of_missing_entity(TASK)

    assert (record.code, record.retryable, record.missing_entity) == (ErrorCode.ENTITY_NOT_FOUND, False, None)
    assert "episode-1" in record.message


def test_a_kind_without_a_handler_is_named() -> None:
    assert record_of_unknown_kind(TASK).code is ErrorCode.PAYLOAD_UNSUPPORTED
    assert "'mail'" in record_of_unknown_kind(TASK).message


def test_an_outcome_that_cannot_be_stored_says_why() -> None:
    ending = Ending(task=TASK, record=Release(lease=TASK.lease, code=ErrorCode.SHUTDOWN), seconds=1.0, ended_at=0.0)

    assert record_of_refused_write(ending, ValueError("too big")).message == "its outcome could not be stored: ValueError: too big"
