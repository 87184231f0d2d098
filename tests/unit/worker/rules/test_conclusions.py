import pytest

from taskfleet.models import Completion, Failure, Release
from taskfleet.words import ErrorCode
from taskfleet_worker import EntityNotFound, Overloaded
from taskfleet_worker.errors import BatchOutcomesError
from taskfleet_worker.rules.conclusions import Conclusion, conclude_error, conclude_result, outcomes_of, values_of
from tests.support.workers import claimed_task

THREE = [claimed_task(number, entity=f"reader {number}") for number in (1, 2, 3)]


def test_what_a_call_for_one_task_returns_is_its_result_even_if_it_is_a_list() -> None:
    concluded = conclude_result(THREE[:1], [ValueError("kept")], is_batch=False, overload_pause_seconds=1.0)

    assert [type(conclusion.record) for conclusion in concluded] == [Completion]


def test_each_task_of_a_batch_has_its_own_outcome() -> None:
    first, second, third = conclude_result(THREE, [{"n": 1}, EntityNotFound(), Overloaded(7)], is_batch=True, overload_pause_seconds=1.0)

    assert first == Conclusion(record=Completion(lease=THREE[0].lease, result={"n": 1}))
    assert isinstance(second.record, Failure)
    assert (second.record.code, second.record.missing_entity) == (ErrorCode.ENTITY_NOT_FOUND, "reader 2")
    assert third.record == Release(lease=THREE[2].lease, code=ErrorCode.OVERLOADED, delay_seconds=7)
    assert (third.pause_seconds, third.message) == (7, "the downstream asks for less")


def test_a_batch_that_returns_nothing_is_done() -> None:
    concluded = conclude_result(THREE, None, is_batch=True, overload_pause_seconds=1.0)

    assert [conclusion.record for conclusion in concluded] == [Completion(lease=task.lease) for task in THREE]


def test_what_a_batch_raises_is_the_error_of_all() -> None:
    concluded = conclude_error(THREE, ValueError("broken"), overload_pause_seconds=1.0)

    assert [conclusion.record.lease for conclusion in concluded] == [task.lease for task in THREE]
    assert all(isinstance(conclusion.record, Failure) and conclusion.record.retryable for conclusion in concluded)


@pytest.mark.parametrize(
    ("result", "found"), [([1, 2], "a list of 2"), ({1: "done"}, "a dict"), ("abc", "a str")], ids=["too few", "a mapping", "text"]
)
def test_a_result_that_tells_not_which_task_it_means_is_refused(result: object, found: str) -> None:
    with pytest.raises(BatchOutcomesError, match=f"given 3 tasks and returned {found}"):
        outcomes_of(result, 3)


def test_a_refused_result_fails_every_task_of_the_batch() -> None:
    concluded = conclude_result(THREE, [1], is_batch=True, overload_pause_seconds=1.0)

    assert [isinstance(conclusion.record, Failure) for conclusion in concluded] == [True, True, True]


@pytest.mark.parametrize(
    ("result", "values"),
    [(None, [None, None]), ([1, None], [1, None]), ((1, 2), (1, 2)), ([1, EntityNotFound()], None), ([1], None), ("ab", None)],
    ids=["nothing", "a list", "a tuple", "one went wrong", "too few", "no list"],
)
def test_a_batch_in_which_all_went_well_is_known_by_its_values(result: object, values: object) -> None:
    assert values_of(result, 2) == values
