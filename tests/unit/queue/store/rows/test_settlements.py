from typing import cast
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet.models import Completion, Failure, LeaseRef, Release, Settled, Settlement
from taskfleet.store.rows.settlements import answer_from, settled_from, statements_of
from taskfleet.words import ErrorCode


def lease(number: int) -> LeaseRef:
    return LeaseRef(task_id=number, token=UUID(int=number))


BATCH = Settlement(
    completions=[Completion(lease=lease(1)), Completion(lease=lease(2), result=[1])],
    failures=[Failure(lease=lease(3), code=ErrorCode.EXECUTION_FAILED, message="it broke", retryable=True)],
    releases=[Release(lease=lease(4), code=ErrorCode.SHUTDOWN)],
)


def test_each_sort_of_outcome_is_one_statement() -> None:
    statements = statements_of(BATCH)

    assert [statement.query for statement in statements] == ["complete_tasks", "fail_tasks", "release_tasks"]
    assert [statement.parameters["task_ids"] for statement in statements] == ["{1,2}", "{3}", "{4}"]


def test_empty_settlement_needs_no_statement() -> None:
    assert statements_of(Settlement()) == []


def test_batch_without_results_carries_none() -> None:
    (statement,) = statements_of(Settlement(completions=[Completion(lease=lease(1))]))

    assert statement.parameters["results"] is None


def test_results_keep_their_places() -> None:
    assert statements_of(BATCH)[0].parameters["results"] == [None, "[1]"]


@given(st.text(max_size=50) | st.text(alphabet="\0\ud800\udfff\U0001f600a", max_size=20))
def test_any_message_can_be_stored(message: str) -> None:
    failure = Failure(lease=lease(1), code=ErrorCode.EXECUTION_FAILED, message=message, stack=message, missing_entity=message)

    parameters = statements_of(Settlement(failures=[failure]))[0].parameters

    stored = [str(text) for name in ("messages", "stacks", "entities") for text in cast("list[str]", parameters[name])]
    assert "\0" not in "".join(stored).encode().decode()


OTHERS = [[(3, "retried", None)], [(4, "released", None)]]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([[(None, [2])], *OTHERS], Settled(finished=(1, 2), retried=(3, 4)), id="all held"),
        pytest.param(
            [[([1], None)], [(3, "failed", True)], [(4, "failed", False)]], Settled(finished=(1, 3, 4), stale=(2,)), id="one was lost"
        ),
        pytest.param(
            [[(None, None)], [], [(4, "released", None)]], Settled(finished=(1, 2), retried=(4,), stale=(3,)), id="a failure was lost"
        ),
        pytest.param([[([], None)], [], []], Settled(stale=(1, 2, 3, 4)), id="all were lost"),
    ],
)
def test_answer_sorts_tasks_by_what_became_of_them(rows: list[list[tuple[object, ...]]], expected: Settled) -> None:
    assert settled_from(BATCH, answer_from(BATCH, rows)) == expected


def test_whoever_waits_is_told_of_completions_and_of_failures_for_good() -> None:
    rows: list[list[tuple[object, ...]]] = [[(None, [2])], [(3, "failed", True)], [(4, "released", None)]]

    assert answer_from(BATCH, rows).wanted == [2, 3]


def test_settlement_without_completions_has_no_answer_for_them() -> None:
    failed = Settlement(failures=BATCH.failures)

    assert settled_from(failed, answer_from(failed, [[(3, "retried", None)]])) == Settled(retried=(3,))
