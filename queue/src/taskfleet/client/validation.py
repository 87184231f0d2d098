"""A new task, checked and turned into what the database stores. Pure; every refusal says what was found and what is allowed."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from taskfleet.errors import InvalidTaskError
from taskfleet.json_text import encoder
from taskfleet.models import NewTask
from taskfleet.names import validated_kind

TEXT_BYTES = 512
"""Most bytes of a group, entity or idempotency key: they are keys of indexes."""
HEADER_COUNT = 64
HEADER_BYTES = 8_192
"""Most bytes of all headers of a task as JSON."""
MOST_ATTEMPTS = 1_000
LONGEST_DELAY_SECONDS = 315_360_000
"""Ten years."""

# A list that contains itself is found by the depth of recursion, which is refused all the same.
_encoded = encoder(json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")))


class PreparedTask(NamedTuple):
    """A task that the database will take. A tuple: a hundred thousand a second are made of these."""

    kind: str
    payload: str | None
    """JSON text."""
    headers: str | None
    """JSON text."""
    priority: int
    run_at: datetime | None
    delay_seconds: float
    group: str | None
    entity: str | None
    idempotency_key: str | None
    max_attempts: int | None
    wants_result: bool


def prepare(task: NewTask) -> PreparedTask:
    """The task as the database stores it; raises InvalidTaskError, naming the kind, the field, what was found and what is allowed.

    The size of the payload is for the queue to say: see require_size.
    """
    kind = _kind(task.kind)
    # By position: naming the fields costs as much as half of the checks.
    return PreparedTask(
        kind,
        None if task.payload is None else _payload(kind, task.payload),
        None if task.headers is None else _headers(kind, task.headers),
        _whole(kind, "priority", task.priority, least=0, most=9),
        None if task.run_at is None else _moment(kind, task),
        0.0 if task.delay_seconds is None else _delay(kind, task.delay_seconds),
        None if task.group is None else _text(kind, "group", task.group),
        None if task.entity is None else _text(kind, "entity", task.entity),
        None if task.idempotency_key is None else _text(kind, "idempotency_key", task.idempotency_key),
        None if task.max_attempts is None else _whole(kind, "max_attempts", task.max_attempts, least=1, most=MOST_ATTEMPTS),
        bool(task.wants_result),
    )


def validated_group(group: object) -> str:
    """A group's name as tasks may carry it; raises InvalidTaskError."""
    if not isinstance(group, str) or not 1 <= len(group.encode(errors="replace")) <= TEXT_BYTES or _text_fault(group, "group") is not None:
        raise InvalidTaskError(f"group {group!r} is no name of a group: it is a text of 1 to {TEXT_BYTES} bytes")
    return group


def require_size(task: PreparedTask, *, most: int) -> None:
    """Raise InvalidTaskError when the payload is larger than the queue allows; `most` is in bytes of JSON text."""
    text = task.payload
    if text is None or len(text) <= most // 4:
        # No character has more than four bytes.
        return
    size = len(text) if text.isascii() else len(text.encode())
    if size > most:
        message = (
            f"task of kind {task.kind!r}: its payload has {size:,} bytes as JSON, the queue takes {most:,}: "
            "keep the data elsewhere and enqueue a reference to it, or raise limits.maxPayloadBytes"
        )
        raise InvalidTaskError(message)


def _kind(kind: object) -> str:
    try:
        return _known_kind(kind) if isinstance(kind, str) else validated_kind(kind)
    except ValueError as error:
        raise InvalidTaskError(str(error)) from None


_known_kind = lru_cache(maxsize=1024)(validated_kind)


def _payload(kind: str, payload: object) -> str:
    try:
        text = _encoded(payload)
        if not text.isascii():
            text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidTaskError(f"task of kind {kind!r}: {_fault(payload) or f'the payload is no JSON ({error})'}") from None
    if "\\u0000" in text and (fault := _fault(payload)) is not None:
        raise InvalidTaskError(f"task of kind {kind!r}: {fault}")
    return text


def _fault(value: object, path: str = "payload", depth: int = 0) -> str | None:
    """The first thing in a payload that cannot be stored, and where it is; None when it is all fine."""
    if depth > 200:
        return f"{path[:120]}… is nested more than 200 deep (or contains itself): flatten it"
    match value:
        case None | bool():
            return None
        case str():
            return _text_fault(value, path)
        case int():
            return None if abs(value) < 10**4_000 else f"{path} is a number of more than 4,000 digits: store it as text"
        case float():
            return None if math.isfinite(value) else f"{path} is {value}, JSON has only finite numbers: use null or a text"
        case dict():
            return next((fault for key, item in value.items() if (fault := _item_fault(key, item, path, depth)) is not None), None)
        case list() | tuple():
            return next((fault for n, item in enumerate(value) if (fault := _fault(item, f"{path}[{n}]", depth + 1)) is not None), None)
    return (
        f"{path} is of type {type(value).__name__}, which JSON does not have (only objects, lists, texts, numbers, true, false, null): "
        "convert it first"
    )


def _item_fault(key: object, item: object, path: str, depth: int) -> str | None:
    if not isinstance(key, str | int | float | bool | None):
        return f"{path} has a key of type {type(key).__name__}: keys of JSON objects are texts"
    return _text_fault(str(key), f"a key of {path}") or _fault(item, f"{path}.{key}", depth + 1)


def _text_fault(text: str, name: str) -> str | None:
    if "\0" in text:
        return f"{name} contains a NUL character, which PostgreSQL cannot store: remove it"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return f"{name} contains half of a surrogate pair, which is no text: decode its source with the right encoding"
    return None


def _text(kind: str, field: str, text: object) -> str:
    if not isinstance(text, str):
        raise InvalidTaskError(f"task of kind {kind!r}: {field} is of type {type(text).__name__}, it must be a text")
    if (fault := _text_fault(text, field)) is not None:
        raise InvalidTaskError(f"task of kind {kind!r}: {fault}")
    size = len(text.encode())
    if not 1 <= size <= TEXT_BYTES:
        raise InvalidTaskError(f"task of kind {kind!r}: {field} has {size} bytes, it must have 1 to {TEXT_BYTES}; None leaves it out")
    return text


def _headers(kind: str, headers: object) -> str:
    if not isinstance(headers, Mapping) or not all(isinstance(text, str) for item in headers.items() for text in item):
        raise InvalidTaskError(f"task of kind {kind!r}: headers must map texts to texts")
    fault = next((fault for item in headers.items() for text in item if (fault := _text_fault(text, "headers")) is not None), None)
    if fault is not None:
        raise InvalidTaskError(f"task of kind {kind!r}: {fault}")
    text = _encoded(dict(headers))
    if len(headers) > HEADER_COUNT or len(text.encode()) > HEADER_BYTES:
        message = (
            f"task of kind {kind!r}: {len(headers)} headers of {len(text.encode()):,} bytes as JSON, "
            f"allowed are {HEADER_COUNT} of {HEADER_BYTES:,} bytes together: data belongs into the payload"
        )
        raise InvalidTaskError(message)
    return text


def _whole(kind: str, field: str, value: object, *, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidTaskError(f"task of kind {kind!r}: {field} is {value!r}, it must be a whole number from {least} to {most:,}")
    return value


def _moment(kind: str, task: NewTask) -> datetime:
    if not isinstance(task.run_at, datetime):
        raise InvalidTaskError(f"task of kind {kind!r}: run_at is of type {type(task.run_at).__name__}, it must be a datetime")
    if task.run_at.utcoffset() is None:
        message = f"task of kind {kind!r}: run_at {task.run_at.isoformat()} has no time zone: use datetime.now(UTC) or .astimezone()"
        raise InvalidTaskError(message)
    if task.delay_seconds is not None:
        raise InvalidTaskError(f"task of kind {kind!r}: run_at and delay_seconds exclude each other: give one")
    return task.run_at


def _delay(kind: str, delay: object) -> float:
    if not isinstance(delay, int | float) or isinstance(delay, bool) or not 0 <= delay <= LONGEST_DELAY_SECONDS:
        message = f"task of kind {kind!r}: delay_seconds is {delay!r}, it must be a number of seconds from 0 to {LONGEST_DELAY_SECONDS:,}"
        raise InvalidTaskError(message)
    return float(delay)
