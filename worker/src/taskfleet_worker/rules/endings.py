"""How an attempt ended: from what a handler returned or raised to what the queue is told."""

import traceback
from enum import StrEnum
from typing import NamedTuple, assert_never

from taskfleet.models import ClaimedTask, Completion, Failure, Release
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


class StopReason(StrEnum):
    """Why a running handler is stopped from outside."""

    LEASE_LOST = "lease_lost"
    """Another worker may have the task: whatever comes out is dropped."""
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    SHUTDOWN = "shutdown"


class Ending(NamedTuple):
    """One attempt that is over, before the queue has heard of it. Made for every task, so a tuple: a dataclass takes thrice its time."""

    task: ClaimedTask
    record: Completion | Failure | Release
    """What the queue will be told."""
    seconds: float
    """Time the handler ran; 0 if it did not."""
    ended_at: float
    """By the process's monotonic clock."""
    pause_seconds: float = 0.0
    """How long its slot claims nothing."""
    message: str = ""
    """Why it was given back, for the log."""
    ran: bool = True
    """False: refused before its handler was called."""
    tries: int = 0
    """Times it was sent without an answer: it may have been written then."""


def record_of_error(task: ClaimedTask, error: BaseException, *, overload_pause_seconds: float) -> Failure | Release:
    """What the queue is told about an attempt that raised."""
    match error:
        case Overloaded():
            return Release(lease=task.lease, code=ErrorCode.OVERLOADED, delay_seconds=pause_of(error, default=overload_pause_seconds))
        case RetryLater():
            return Release(lease=task.lease, code=ErrorCode.RETRY_LATER, delay_seconds=max(0.0, error.after))
        case EntityNotFound():
            return _failure(task, ErrorCode.ENTITY_NOT_FOUND, error, missing_entity=error.entity or task.entity)
        case PayloadRefusedError():
            return _failure(task, error.code, error)
        case PayloadInvalid():
            return _failure(task, ErrorCode.PAYLOAD_INVALID, error)
        case PayloadUnsupported():
            return _failure(task, ErrorCode.PAYLOAD_UNSUPPORTED, error)
        case PreconditionFailed():
            return _failure(task, ErrorCode.PRECONDITION_FAILED, error)
        case TaskError() | _:
            message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return _failure(task, ErrorCode.EXECUTION_FAILED, message, stack=_stack(error), retryable=True)


def record_of_stop(task: ClaimedTask, reason: StopReason) -> Failure | Release | None:
    """What the queue is told about a handler that was stopped; None where it has nothing to hear."""
    match reason:
        case StopReason.LEASE_LOST:
            return None
        case StopReason.CANCELLED:
            return record_of_cancelled(task)
        case StopReason.TIMED_OUT:
            message = f"it ran longer than the {task.timeout_seconds:g} s that its kind allows"
            return _failure(task, ErrorCode.TIMED_OUT, message, retryable=True)
        case StopReason.SHUTDOWN:
            return Release(lease=task.lease, code=ErrorCode.SHUTDOWN)
        case _:
            assert_never(reason)


def record_of_cancelled(task: ClaimedTask) -> Failure:
    """Somebody wanted the task stopped, and it is."""
    return _failure(task, ErrorCode.CANCELLED, "cancelled while it ran")


def record_of_missing_entity(task: ClaimedTask) -> Failure:
    """The entity is known to be missing: fails without asking again, and without renewing the memory of it."""
    return _failure(task, ErrorCode.ENTITY_NOT_FOUND, f"entity {task.entity!r} was not found a short while ago: not asked again")


def record_of_unknown_kind(task: ClaimedTask) -> Failure:
    """This worker has no handler for the kind, though it only asks for kinds that it has one for."""
    return _failure(task, ErrorCode.PAYLOAD_UNSUPPORTED, f"this worker has no handler for kind {task.kind!r}")


def record_of_refused_write(ending: Ending, error: BaseException) -> Failure:
    """Stands in for an outcome that the database refuses to store as it is."""
    return _failure(ending.task, ErrorCode.EXECUTION_FAILED, f"its outcome could not be stored: {type(error).__name__}: {error}")


def pause_of(error: BaseException, *, default: float) -> float:
    """Seconds that the slot pauses after this error: its Retry-After, or the default; 0 unless it is an overload answer."""
    if not isinstance(error, Overloaded):
        return 0.0
    return default if error.retry_after is None else max(0.0, error.retry_after)


def _failure(
    task: ClaimedTask,
    code: ErrorCode,
    message: object,
    *,
    stack: str | None = None,
    retryable: bool = False,
    missing_entity: str | None = None,
) -> Failure:
    return Failure(
        lease=task.lease,
        code=code,
        message=str(message),
        stack=stack,
        retryable=retryable,
        missing_entity=missing_entity,
    )


def _stack(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
