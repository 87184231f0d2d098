import pytest

from taskfleet.words import ErrorCode, Outcome
from taskfleet_operator.scaling.estimates import outcomes
from taskfleet_operator.scaling.estimates.outcomes import Meaning, meaning, since, totals_by_kind
from taskfleet_operator.scaling.memory import KindTotals
from tests.support.scaling import total


def test_the_words_are_those_of_the_queue() -> None:
    """Scaling knows nothing of the queue, so it repeats them; here they are held together."""
    assert {outcomes.SUCCEEDED, outcomes.FAILED, outcomes.RETRIED, outcomes.RELEASED} <= set(Outcome)
    assert {outcomes.OVERLOADED, outcomes.TIMED_OUT, outcomes.EXECUTION_FAILED, outcomes.EXPIRED} <= set(ErrorCode)


@pytest.mark.parametrize(
    ("outcome", "code", "expected"),
    [
        pytest.param("succeeded", "", Meaning(departed=True, succeeded=True), id="a success departs"),
        pytest.param("failed", "TASK_ENTITY_NOT_FOUND", Meaning(departed=True), id="a source that is gone accuses nobody"),
        pytest.param("failed", "TASK_PAYLOAD_INVALID", Meaning(departed=True), id="an invalid payload accuses nobody"),
        pytest.param("released", "TASK_OVERLOADED", Meaning(overloaded=True), id="an overloaded task comes back"),
        pytest.param("retried", "TASK_TIMED_OUT", Meaning(overloaded=True), id="a time-out is a sign of overload"),
        pytest.param("failed", "TASK_TIMED_OUT", Meaning(departed=True, overloaded=True), id="the last time-out departs as well"),
        pytest.param("retried", "TASK_EXECUTION_FAILED", Meaning(faulted=True), id="a failure that is tried again does not depart"),
        pytest.param("failed", "TASK_EXECUTION_FAILED", Meaning(departed=True, faulted=True), id="the last failure departs"),
        pytest.param("failed", "TASK_EXPIRED", Meaning(), id="an expired task never ran"),
        pytest.param("released", "TASK_SHUTDOWN", Meaning(), id="a shutdown accuses nobody"),
        pytest.param("retried", "TASK_LEASE_EXPIRED", Meaning(), id="a dead worker accuses nobody"),
        pytest.param("cancelled", "TASK_CANCELLED", Meaning(), id="a cancelled task says nothing"),
    ],
)
def test_meaning(outcome: str, code: str, expected: Meaning) -> None:
    assert meaning(outcome, code) == expected


def test_totals_are_added_up_by_kind() -> None:
    counted = totals_by_kind(
        (
            total("enqueued", 9),
            total("succeeded", 4, busy=8.0),
            total("released", 3, code="TASK_OVERLOADED", busy=1.0),
            total("failed", 1, code="TASK_ENTITY_NOT_FOUND", busy=0.5),
            total("succeeded", 7, kind="other", busy=3.0),
        )
    )

    assert counted == {
        "task": KindTotals(arrived=9, departed=5, succeeded=4, overloaded=3, busy_seconds=9.5, overloaded_seconds=1.0),
        "other": KindTotals(departed=7, succeeded=7, busy_seconds=3.0),
    }


def test_a_counter_that_fell_counts_as_unchanged() -> None:
    before = KindTotals(arrived=9, departed=5, busy_seconds=4.0)

    assert since(KindTotals(arrived=11, departed=2, busy_seconds=1.0), before) == KindTotals(arrived=2)
