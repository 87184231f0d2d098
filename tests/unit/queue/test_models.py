"""A new task is a value, though it does not set its fields one by one."""

import copy
import dataclasses
import pickle

import pytest

from taskfleet.models import NewTask

TASK = NewTask(kind="send", payload=[1], priority=3, group="mail")


@pytest.mark.parametrize("made", [copy.copy, dataclasses.replace, lambda task: pickle.loads(pickle.dumps(task))])
def test_copy_of_a_task_is_equal(made: object) -> None:
    assert callable(made)

    assert made(TASK) == TASK


def test_what_is_not_given_is_the_default() -> None:
    task = NewTask(kind="send")

    given = {field.name: field.default for field in dataclasses.fields(NewTask) if field.name != "kind"}
    assert dataclasses.asdict(task) == {"kind": "send", **given}
    assert task == NewTask(kind="send", payload=None, priority=5, wants_result=False)
    assert hash(task) == hash(NewTask(kind="send"))


def test_a_task_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TASK.priority = 4  # type: ignore[misc]


def test_a_field_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="NewTask has no field 'prio': it has kind, payload, delay_seconds"):
        NewTask(kind="send", prio=3)  # type: ignore[call-arg]
