"""What operations do when the database answers what it rarely answers."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import pytest

from taskfleet.client import operations
from taskfleet.client.known_queue import KnownQueue
from taskfleet.client.steps import Copy, Flow, Query, Step
from taskfleet.errors import TaskfleetError
from taskfleet.models import Enqueued, NewTask

Result = TypeVar("Result")
Answers = Mapping[str, Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]]
LOOK = {"kinds": ["mail"], "kind_ids": [1], "length": 0, "max_length": None, "warn_length": None, "max_payload_bytes": 1000}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Script:
    """Stands in for a connection: answers each query from a table, and remembers what was asked."""

    def __init__(self, answers: Answers) -> None:
        self.asked: list[str] = []
        self._answers = answers

    def run(self, flow: Flow[Result]) -> Result:
        rows: Sequence[object] | None = None
        try:
            while True:
                step = next(flow) if rows is None else flow.send(rows)
                rows = self._answer(step)
        except StopIteration as done:
            result: Result = done.value
            return result

    def _answer(self, step: Step) -> Sequence[object]:
        self.asked.append(step.name)
        if isinstance(step, Copy):
            list(step.chunks)
            return ()
        assert isinstance(step, Query)
        if step.row is None:
            return ()
        make = cast("Callable[..., object]", step.row)
        return [make(**values) for values in self._answers[step.name](step.parameters)] if step.name in self._answers else []


def in_turn(*answers: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]:
    left = list(answers)
    return lambda _: left.pop(0)


def enqueue(script: Script, task: NewTask) -> Enqueued:
    return script.run(operations.enqueue(task, queue=KnownQueue("orders"), clock=lambda: 0.0))


def enqueue_many(script: Script, *tasks: NewTask) -> Sequence[Enqueued]:
    return script.run(operations.enqueue_many(tasks, queue=KnownQueue("orders"), clock=lambda: 0.0, batch=10))


def test_a_duplicate_committed_after_the_snapshot_is_seen_by_the_next_statement() -> None:
    unseen = {"kind_known": True, "task_id": None, "duplicate": False}
    seen = {"kind_known": True, "task_id": 5, "duplicate": True}
    script = Script({"find_kinds": in_turn([LOOK]), "enqueue_task": in_turn([unseen], [seen])})

    answer = enqueue(script, NewTask(kind="mail", idempotency_key="k"))

    assert answer == Enqueued(task_id=5, duplicate=True)
    assert script.asked == ["find_kinds", "enqueue_task", "enqueue_task"]


def test_a_key_that_never_comes_to_rest_is_given_up_after_three_tries() -> None:
    unseen = {"kind_known": True, "task_id": None, "duplicate": False}
    script = Script({"find_kinds": in_turn([LOOK]), "enqueue_task": in_turn([unseen], [unseen], [unseen])})

    with pytest.raises(TaskfleetError, match="idempotency key 'k': others kept creating and finishing it during 3 tries"):
        enqueue(script, NewTask(kind="mail", idempotency_key="k"))


def test_a_kind_whose_creation_was_rolled_back_is_created_again() -> None:
    gone = {"kind_known": False, "task_id": None, "duplicate": False}
    stored = {"kind_known": True, "task_id": 9, "duplicate": False}
    script = Script({"find_kinds": in_turn([LOOK], [], [LOOK]), "enqueue_task": in_turn([gone], [stored])})

    answer = enqueue(script, NewTask(kind="mail"))

    assert answer == Enqueued(task_id=9)
    assert script.asked == ["find_kinds", "enqueue_task", "find_kinds", "create_kinds", "find_kinds", "enqueue_task"]


def test_a_kind_that_cannot_be_created_is_given_up_after_three_tries() -> None:
    with pytest.raises(TaskfleetError, match="kinds mail: others kept creating"):
        enqueue(Script({}), NewTask(kind="mail"))


def test_a_batch_creates_kinds_that_are_gone_before_anything_is_copied() -> None:
    gone = {"task_ids": [1], "now": NOW, "kinds_known": False}
    there = {"task_ids": [2], "now": NOW, "kinds_known": True}
    script = Script({"find_kinds": in_turn([LOOK], [LOOK]), "reserve_tasks": in_turn([gone], [there])})

    answers = enqueue_many(script, NewTask(kind="mail"))

    assert answers == [Enqueued(task_id=2)]
    assert script.asked == ["find_kinds", "reserve_tasks", "find_kinds", "reserve_tasks", "copy_tasks", "copy_ready", "count_enqueued"]


def test_a_batch_gives_up_on_kinds_after_three_tries() -> None:
    gone = {"task_ids": [1], "now": NOW, "kinds_known": False}
    script = Script({"find_kinds": lambda _: [LOOK], "reserve_tasks": lambda _: [gone]})

    with pytest.raises(TaskfleetError, match="kinds of queue 'orders': others kept creating"):
        enqueue_many(script, NewTask(kind="mail"))


def test_a_batch_asks_again_for_keys_committed_after_the_snapshot() -> None:
    reserved = {"task_ids": [1, 2], "now": NOW, "kinds_known": True}
    own, others = {"kind_id": 1, "key": "a", "task_id": 1}, {"kind_id": 1, "key": "b", "task_id": 77}
    script = Script({"find_kinds": in_turn([LOOK]), "reserve_tasks": in_turn([reserved]), "claim_keys": in_turn([own], [others])})

    answers = enqueue_many(script, NewTask(kind="mail", idempotency_key="a"), NewTask(kind="mail", idempotency_key="b"))

    assert answers == [Enqueued(task_id=1), Enqueued(task_id=77, duplicate=True)]


def test_a_batch_gives_up_on_a_key_after_three_tries() -> None:
    reserved = {"task_ids": [1], "now": NOW, "kinds_known": True}
    script = Script({"find_kinds": in_turn([LOOK]), "reserve_tasks": in_turn([reserved])})

    with pytest.raises(TaskfleetError, match="idempotency key 'a': others kept"):
        enqueue_many(script, NewTask(kind="mail", idempotency_key="a"))


def test_no_tasks_ask_nothing() -> None:
    script = Script({})

    assert (enqueue_many(script), script.asked) == ([], [])
