"""Plain values back into frozen dataclasses, forgiving what an older or newer version wrote."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


class MismatchError(ValueError):
    """A plain value is not what its field holds."""


def decode(kind: type[T], plain: Mapping[str, object] | None) -> T | None:
    """An instance of the dataclass `kind`, or None where `plain` is malformed; unknown keys are ignored, missing ones default."""
    if plain is None:
        return None
    try:
        value = _decode(kind, plain)
    except (MismatchError, TypeError):
        return None
    return value if isinstance(value, kind) else None


def _decode(kind: object, plain: object) -> object:
    origin = get_origin(kind)
    if origin is tuple:
        return _decode_tuple(get_args(kind), plain)
    if origin is UnionType:
        return _decode_union(get_args(kind), plain)
    if origin is not None and isinstance(plain, Mapping):
        value_kind = get_args(kind)[1]
        return {str(key): _decode(value_kind, value) for key, value in plain.items()}
    if isinstance(kind, type) and is_dataclass(kind):
        return _decode_dataclass(kind, plain)
    return _decode_scalar(kind, plain)


def _decode_dataclass(kind: type, plain: object) -> object:
    if not isinstance(plain, Mapping):
        raise MismatchError(f"{kind.__name__}: expected an object, found {plain!r}")
    hints = _hints(kind)
    known = {field.name: _decode(hints[field.name], plain[field.name]) for field in fields(kind) if field.name in plain}
    return kind(**known)


def _decode_tuple(arguments: tuple[object, ...], plain: object) -> tuple[object, ...]:
    if not isinstance(plain, list | tuple):
        raise MismatchError(f"expected a list, found {plain!r}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_decode(arguments[0], item) for item in plain)
    if len(arguments) != len(plain):
        raise MismatchError(f"expected {len(arguments)} items, found {plain!r}")
    return tuple(_decode(argument, item) for argument, item in zip(arguments, plain, strict=True))


def _decode_union(arguments: tuple[object, ...], plain: object) -> object:
    if plain is None and NoneType in arguments:
        return None
    (argument,) = (argument for argument in arguments if argument is not NoneType)
    return _decode(argument, plain)


def _decode_scalar(kind: object, plain: object) -> object:
    if kind is float and isinstance(plain, int | float) and not isinstance(plain, bool):
        return float(plain)
    if isinstance(kind, type) and isinstance(plain, kind) and not (kind is int and isinstance(plain, bool)):
        return plain
    raise MismatchError(f"expected {kind}, found {plain!r}")


@cache
def _hints(kind: type) -> dict[str, object]:
    return get_type_hints(kind)
