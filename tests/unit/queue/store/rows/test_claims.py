"""What the rows of a claim become."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from taskfleet.models import Claim
from taskfleet.store.rows.claims import claim_from
from taskfleet.words import Verdict

TOKEN = UUID(int=7)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(task_id: int, payload: str | None) -> tuple[object, ...]:
    group, entity, priority, attempt, max_attempts, waited, timeout = "tenant", "reader ada", 3, 2, 5, 0.25, 30.0
    values = (group, entity, priority, attempt, max_attempts, NOON, waited, timeout, True)
    return ("claimed", True, task_id, str(TOKEN), "mail", payload, {"a": "b"}, *values)


def test_a_claim_without_tasks_has_a_verdict() -> None:
    found = claim_from([("quota", True, *[None] * 14)])

    assert found == Claim(verdict=Verdict.QUOTA, tasks=(), limited=True)


def test_columns_become_the_fields_of_the_same_name() -> None:
    (task,) = claim_from([row(1, '{"n": 1}')]).tasks

    assert task._asdict() == {
        "task_id": 1,
        "token": TOKEN,
        "kind": "mail",
        "payload": {"n": 1},
        "headers": {"a": "b"},
        "group": "tenant",
        "entity": "reader ada",
        "priority": 3,
        "attempt": 2,
        "max_attempts": 5,
        "run_at": NOON,
        "waited_seconds": 0.25,
        "timeout_seconds": 30.0,
        "entity_missing": True,
    }


def test_each_task_has_its_own_payload_and_all_have_one_token() -> None:
    tasks = claim_from([row(1, "[1, 2]"), row(2, None), row(3, "null"), row(4, '"text"')]).tasks

    assert [(task.task_id, task.payload, task.token) for task in tasks] == [
        (1, [1, 2], TOKEN),
        (2, None, TOKEN),
        (3, None, TOKEN),
        (4, "text", TOKEN),
    ]


@pytest.mark.parametrize("monster", ["9" * 5_000, "[" * 100_000 + "]" * 100_000], ids=["a number", "a list"])
def test_a_payload_that_python_cannot_hold_comes_as_text_and_spoils_no_other(monster: str) -> None:
    tasks = claim_from([row(1, "[1]"), row(2, monster), row(3, None)]).tasks

    assert [task.payload for task in tasks] == [[1], monster, None]
