"""From one call of a handler to one record for each of its tasks: a call does one task, or the tasks of a batch."""

from collections.abc import Sequence
from typing import NamedTuple

from taskfleet.models import ClaimedTask, Completion, Failure, LeaseRef, Release
from taskfleet_worker.errors import BatchOutcomesError, Overloaded, TaskError
from taskfleet_worker.rules.endings import pause_of, record_of_error
from taskfleet_worker.rules.overload import overload_of


class Conclusion(NamedTuple):
    """What came of one task of a call."""

    record: Completion | Failure | Release
    pause_seconds: float = 0.0
    """How long its slot claims nothing."""
    message: str = ""
    """Why it was given back, for the log: the queue keeps no words about that."""


def conclude_value(task: ClaimedTask, result: object) -> Conclusion:
    """What came of a task whose handler returned."""
    # By position: it is made for every task.
    return Conclusion(Completion(LeaseRef(task.task_id, task.token), result))


def conclude_result(tasks: Sequence[ClaimedTask], result: object, *, is_batch: bool, overload_pause_seconds: float) -> Sequence[Conclusion]:
    """One conclusion for each task of a call that returned.

    A batch of three that returned `[1, EntityNotFound(), None]`: the first and the last are done, the second's entity is missing.
    """
    if not is_batch:
        return [conclude_value(task, result) for task in tasks]
    try:
        outcomes = outcomes_of(result, len(tasks))
    except BatchOutcomesError as error:
        return conclude_error(tasks, error, overload_pause_seconds=overload_pause_seconds)
    return [_concluded(task, outcome, overload_pause_seconds) for task, outcome in zip(tasks, outcomes, strict=True)]


def values_of(result: object, count: int) -> Sequence[object] | None:
    """What each task of a batch returned, where all of them are done; None where `conclude_result` has to look closer."""
    values = _for_each(result, count)
    return None if values is None or any(isinstance(value, BaseException) for value in values) else values


def conclude_error(tasks: Sequence[ClaimedTask], error: BaseException, *, overload_pause_seconds: float) -> Sequence[Conclusion]:
    """One conclusion for each task of a call that raised: it is the error of them all."""
    return [_concluded(task, error, overload_pause_seconds) for task in tasks]


def outcomes_of(result: object, count: int) -> Sequence[object]:
    """What a batch handler's return value says of each task: None for all, or one value or error for each, in their order.

    Raises BatchOutcomesError for anything else: nobody could tell which task is meant.
    """
    outcomes = _for_each(result, count)
    if outcomes is None:
        raise BatchOutcomesError(result, count)
    return outcomes


def _for_each(result: object, count: int) -> Sequence[object] | None:
    if result is None:
        return [None] * count
    return result if isinstance(result, list | tuple) and len(result) == count else None


def _concluded(task: ClaimedTask, outcome: object, overload_pause_seconds: float) -> Conclusion:
    if not isinstance(outcome, BaseException):
        return conclude_value(task, outcome)
    error = recognised(outcome)
    record = record_of_error(task, error, overload_pause_seconds=overload_pause_seconds)
    return Conclusion(
        record=record,
        pause_seconds=pause_of(error, default=overload_pause_seconds),
        message=str(error) if isinstance(record, Release) else "",
    )


def recognised(error: BaseException) -> BaseException:
    """The error, or `Overloaded` in its place where it comes from a client and says so; what a handler says on purpose is left alone."""
    if isinstance(error, TaskError):
        return error
    overload = overload_of(error)
    return error if overload is None else Overloaded(overload.retry_after, f"{type(error).__name__}: {error}")
