import inspect
import typing

import pytest

import taskfleet
from taskfleet.models import NewTask
from taskfleet.task_fields import TaskFields


def test_every_public_name_is_listed_and_found() -> None:
    assert [name for name in taskfleet.__all__ if not hasattr(taskfleet, name)] == []
    assert set(taskfleet.__all__) <= set(dir(taskfleet))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = taskfleet.nothing  # type: ignore[attr-defined]


def test_enqueue_takes_every_field_of_a_new_task() -> None:
    fields = typing.get_type_hints(NewTask)

    assert {"kind": fields.pop("kind"), "payload": fields.pop("payload")} == {"kind": str, "payload": object}
    assert typing.get_type_hints(TaskFields) == fields


def test_both_producers_offer_the_same() -> None:
    blocking, awaited = (
        {name: inspect.signature(member) for name, member in inspect.getmembers(producer, callable) if not name.startswith("_")}
        for producer in (taskfleet.Producer, taskfleet.AsyncProducer)
    )

    assert {name: list(signature.parameters) for name, signature in blocking.items()} == {
        name: list(signature.parameters) for name, signature in awaited.items()
    }
