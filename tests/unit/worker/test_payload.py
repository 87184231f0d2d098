from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from taskfleet.words import ErrorCode
from taskfleet_worker.payload import PayloadRefusedError, decoder_for


@dataclass
class Address:
    street: str
    number: int = 1


@dataclass
class Letter:
    to: Address
    copies: list[int]


class Parcel(BaseModel):
    weight: float


def refusal(annotation: object, payload: object) -> tuple[ErrorCode, str]:
    with pytest.raises(PayloadRefusedError) as caught:
        decoder_for(annotation)(payload)
    return caught.value.code, str(caught.value)


@pytest.mark.requirement("B6")
@pytest.mark.parametrize(
    "annotation",
    [
        pytest.param(None, id="no annotation"),
        pytest.param(dict[str, object], id="dict"),
        pytest.param(Letter, id="dataclass"),
        pytest.param(Parcel, id="pydantic model"),
    ],
)
def test_a_handler_that_wants_a_payload_does_not_run_without(annotation: object) -> None:
    assert refusal(annotation, None)[0] is ErrorCode.PAYLOAD_MISSING


@pytest.mark.parametrize(("annotation", "payload"), [(object, None), (Any, None), (Parcel | None, None), (object, [1])])
def test_a_handler_may_say_that_it_needs_none(annotation: object, payload: object) -> None:
    assert decoder_for(annotation)(payload) == payload


@pytest.mark.parametrize("annotation", [None, dict, Mapping, dict[str, object], dict[str, Any], Mapping[str, object]])
def test_an_object_is_handed_over_as_it_is(annotation: object) -> None:
    payload = {"n": 1}

    assert decoder_for(annotation)(payload) is payload


@pytest.mark.parametrize(("payload", "found"), [([1], "an array"), ("text", "a string"), (1.5, "a number"), (True, "a boolean")], ids=str)
def test_something_else_than_an_object_is_named(payload: object, found: str) -> None:
    assert refusal(dict, payload) == (ErrorCode.PAYLOAD_INVALID, f"payload: expected an object, found {found}")


def test_dataclasses_are_built_with_what_they_hold() -> None:
    assert decoder_for(Letter)({"to": {"street": "Elm"}, "copies": [1, 2]}) == Letter(to=Address(street="Elm"), copies=[1, 2])


def test_pydantic_models_are_built() -> None:
    assert decoder_for(Parcel)({"weight": 2}) == Parcel(weight=2.0)


def test_any_type_that_pydantic_knows_will_do() -> None:
    assert decoder_for(list[int])([1, 2]) == [1, 2]
    assert decoder_for(dict[str, int])({"a": 1}) == {"a": 1}


@pytest.mark.requirement("B6")
def test_faults_are_told_with_their_path_and_without_the_values() -> None:
    code, message = refusal(Letter, {"to": {"street": "Elm", "number": "secret"}, "copies": "x"})

    assert code is ErrorCode.PAYLOAD_INVALID
    assert message.startswith("payload.to.number: Input should be a valid integer")
    assert "payload.copies: Input should be a valid list" in message
    assert "secret" not in message


def test_of_many_faults_the_first_ten_are_told() -> None:
    _, message = refusal(list[int], ["x"] * 14)

    assert message.endswith("and 4 more")


def test_a_type_that_nothing_can_be_turned_into_is_named() -> None:
    class Opaque:
        pass

    with pytest.raises(TypeError, match="Opaque"):
        decoder_for(Opaque)
