"""The operations on recurring tasks, each as the steps it takes. No I/O here: see `steps`."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskfleet.client.known_queue import KnownQueue, Look
from taskfleet.client.steps import Flow, Query, ask
from taskfleet.client.validation import TEXT_BYTES, PreparedTask, prepare, require_size
from taskfleet.errors import InvalidTaskError
from taskfleet.models import NewTask, Schedule


@dataclass(frozen=True, kw_only=True)
class _Now:
    now: datetime


@dataclass(frozen=True, kw_only=True)
class _Name:
    name: str


@dataclass(frozen=True, kw_only=True)
class _Row:
    name: str
    cron: str
    time_zone: str
    task: dict[str, Any]
    next_at: datetime
    last_at: datetime | None
    last_task_id: int | None


def schedule(name: str, cron: str, task: NewTask, *, time_zone: str, queue: KnownQueue) -> Flow[datetime]:
    """Store a recurring task, or replace that of the name; returns its first tick.

    Raises InvalidTaskError before anything is written.
    """
    from taskfleet.cron import next_tick

    if not 1 <= len(name.encode()) <= TEXT_BYTES or "\0" in name:
        raise InvalidTaskError(f"schedule {name!r} is no name: it takes 1 to {TEXT_BYTES} bytes of text")
    prepared = prepare(task)
    if task.run_at is not None or task.delay_seconds is not None or task.idempotency_key is not None or task.wants_result:
        raise InvalidTaskError(
            f"schedule {name!r}: run_at, delay_seconds, idempotency_key and wants_result have no place in a recurring task"
        )
    named = {"queue": queue.name, "kinds": [prepared.kind]}
    yield from ask(Query(name="create_kinds", parameters=named))
    looks = yield from ask(Query(name="find_kinds", parameters=named, row=Look))
    require_size(prepared, most=looks[0].max_payload_bytes)
    now = (yield from ask(Query(name="database_time", parameters={}, row=_Now)))[0].now
    first = next_tick(cron, time_zone=time_zone, after=now)
    values = {"queue": queue.name, "name": name, "cron": cron, "time_zone": time_zone, "task": _stored(prepared), "next_at": first}
    yield from ask(Query(name="save_schedule", parameters=values))
    return first


def unschedule(name: str, *, queue: KnownQueue) -> Flow[bool]:
    """Forget a recurring task; False when there was none of the name."""
    return bool((yield from ask(Query(name="delete_schedule", parameters={"queue": queue.name, "name": name}, row=_Name))))


def list_schedules(queue: KnownQueue) -> Flow[tuple[Schedule, ...]]:
    """The recurring tasks of the queue, by name."""
    rows = yield from ask(Query(name="list_schedules", parameters={"queue": queue.name}, row=_Row))
    return tuple(
        Schedule(
            name=row.name,
            cron=row.cron,
            time_zone=row.time_zone,
            task=NewTask(**row.task),
            next_at=row.next_at,
            last_at=row.last_at,
            last_task_id=row.last_task_id,
        )
        for row in rows
    )


def _stored(task: PreparedTask) -> str:
    values = {
        "kind": task.kind,
        "payload": None if task.payload is None else json.loads(task.payload),
        "headers": None if task.headers is None else json.loads(task.headers),
        "priority": task.priority,
        "group": task.group,
        "entity": task.entity,
        "max_attempts": task.max_attempts,
    }
    return json.dumps({name: value for name, value in values.items() if value is not None}, ensure_ascii=False)
