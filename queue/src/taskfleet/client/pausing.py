"""Pausing and resuming queues, kinds and groups, as steps without I/O. Single tasks: see `lifecycle`."""

from collections.abc import Callable
from dataclasses import dataclass

from taskfleet.client.steps import Flow, Query, ask
from taskfleet.client.validation import validated_group
from taskfleet.errors import InvalidTaskError
from taskfleet.names import validated_kind

MOVE_ROWS = 1_000
"""Tasks of a group that are looked at in one short transaction."""
MOVE_SECONDS = 5.0
"""How long a call goes on by itself; maintenance does the rest."""

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class _Change:
    changed: bool


@dataclass(frozen=True, kw_only=True)
class _Moved:
    state: str | None
    moved: int


def pause_queue(queue: str) -> Flow[bool]:
    """Let nothing of a queue be claimed; whether that is new."""
    yield from ask(Query(name="create_kinds", parameters={"queue": queue, "kinds": []}))
    return (yield from _changes("pause_queue", queue=queue))


def resume_queue(queue: str) -> Flow[bool]:
    """Take that back; whether it was paused."""
    return (yield from _changes("resume_queue", queue=queue))


def pause_kind(queue: str, kind: str) -> Flow[bool]:
    """Let no task of a kind be claimed; whether that is new."""
    name = _kind(kind)
    yield from ask(Query(name="create_kinds", parameters={"queue": queue, "kinds": [name]}))
    return (yield from _changes("pause_kind", queue=queue, kind=name))


def resume_kind(queue: str, kind: str) -> Flow[bool]:
    """Take that back; whether it was paused."""
    return (yield from _changes("resume_kind", queue=queue, kind=_kind(kind)))


def pause_group(queue: str, group: str, *, clock: Clock | None) -> Flow[bool]:
    """Put a group's waiting tasks aside; whether that is new. Without a clock (in a transaction of the caller's) nothing moves yet."""
    named = {"queue": queue, "group": validated_group(group)}
    yield from ask(Query(name="create_kinds", parameters={"queue": queue, "kinds": []}))
    changed = yield from _changes("pause_group", **named)
    yield from _move(named, clock=clock)
    return changed


def resume_group(queue: str, group: str, *, clock: Clock | None) -> Flow[bool]:
    """Bring a group's tasks back; whether it was paused. Without a clock nothing moves yet."""
    named = {"queue": queue, "group": validated_group(group)}
    changed = yield from _changes("resume_group", **named)
    yield from _move(named, clock=clock)
    return changed


def _changes(query: str, **parameters: str) -> Flow[bool]:
    rows = yield from ask(Query(name=query, parameters=parameters, row=_Change))
    return any(row.changed for row in rows)


def _move(named: dict[str, str], *, clock: Clock | None) -> Flow[None]:
    """Go on until the group has arrived. It stays on its way while a transaction that stored a task of it is open: then time ends this."""
    if clock is None:
        return
    deadline, idle = clock() + MOVE_SECONDS, 0
    while idle < 4 and clock() < deadline:
        rows = yield from ask(Query(name="move_group", parameters={**named, "limit": MOVE_ROWS}, row=_Moved))
        if all(row.state not in ("pausing", "resuming") for row in rows):
            return
        idle = 0 if any(row.moved for row in rows) else idle + 1


def _kind(kind: str) -> str:
    try:
        return validated_kind(kind)
    except ValueError as error:
        raise InvalidTaskError(str(error)) from None
