"""Turns what a task carries into what its handler takes, before the handler runs.

A handler without a payload parameter takes nothing. Plain dicts are checked here; everything else that can be written as
a type (dataclasses, pydantic models, TypedDict, list[int] …) goes through pydantic, loaded only if a handler asks for it.
"""

from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from taskfleet.words import ErrorCode

Decoder = Callable[[object], object]
"""Gives the handler's argument, or raises PayloadRefusedError."""


class PayloadRefusedError(Exception):
    """The payload cannot be given to the handler."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def decoder_for(annotation: object) -> Decoder:
    """How payloads become what `annotation` says; `None` stands for a handler that wants a payload of any shape.

    Raises TypeError when nothing can be made of the annotation.
    """
    if annotation in (Any, object):
        return _as_it_is
    if annotation is None:
        return _present
    if _is_plain_mapping(annotation):
        return _mapping
    return _typed(annotation)


def _as_it_is(payload: object) -> object:
    return payload


def _present(payload: object) -> object:
    if payload is None:
        raise PayloadRefusedError(ErrorCode.PAYLOAD_MISSING, "the task carries no payload and its handler wants one")
    return payload


def _mapping(payload: object) -> object:
    if type(payload) is dict:
        return payload
    if not isinstance(_present(payload), dict):
        raise PayloadRefusedError(ErrorCode.PAYLOAD_INVALID, f"payload: expected an object, found {_json_name(payload)}")
    return payload


def _is_plain_mapping(annotation: object) -> bool:
    origin = get_origin(annotation) or annotation
    if origin not in (dict, Mapping):
        return False
    arguments = get_args(annotation)
    return arguments == () or (arguments[0] is str and arguments[1] in (Any, object))


def _typed(annotation: Any) -> Decoder:
    from pydantic import TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError

    try:
        validate = TypeAdapter(annotation).validate_python
    except PydanticSchemaGenerationError as error:
        raise TypeError(f"{annotation!r} is no type that a payload can be turned into") from error
    wants_payload = not _accepts_none(annotation)

    def decode(payload: object) -> object:
        if wants_payload:
            _present(payload)
        try:
            return validate(payload)
        except ValidationError as error:
            raise PayloadRefusedError(ErrorCode.PAYLOAD_INVALID, _faults(error)) from error

    return decode


def _accepts_none(annotation: object) -> bool:
    return get_origin(annotation) in (Union, UnionType) and NoneType in get_args(annotation)


def _faults(error: Any) -> str:
    """Every fault with its path: `payload.items.0.price: Input should be a valid number`; values are left out, they may be secret."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [f"{'.'.join(['payload', *map(str, fault['loc'])])}: {fault['msg']}" for fault in faults[:10]]
    return "; ".join([*shown, f"and {len(faults) - 10} more"] if len(faults) > 10 else shown)


def _json_name(value: object) -> str:
    names: dict[type, str] = {list: "an array", str: "a string", int: "a number", float: "a number", bool: "a boolean"}
    return names.get(type(value), type(value).__name__)
