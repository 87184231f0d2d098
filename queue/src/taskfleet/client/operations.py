"""The operations of a producer, each as the steps it takes. No I/O here: see `steps`."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from taskfleet.client.batches import (
    CHUNK_ROWS,
    PlacedTask,
    PreparedBatches,
    alongside,
    followed_by,
    held_lines,
    ledger_groups,
    ready_rows,
    task_lines,
)
from taskfleet.client.known_queue import KnownQueue, Look
from taskfleet.client.steps import Copy, Flow, Query, ask
from taskfleet.client.validation import PreparedTask, prepare, require_size
from taskfleet.errors import TaskfleetError, TaskNotFoundError
from taskfleet.models import Enqueued, NewTask, Task
from taskfleet.store.rows.tasks import task_from

TRIES = 3
"""How often a statement is repeated that met what was committed after its snapshot: each try is a new snapshot."""

Clock = Callable[[], float]
"""A monotonic clock, in seconds."""


@dataclass(frozen=True, kw_only=True)
class _Length:
    length: int


@dataclass(frozen=True, kw_only=True)
class _EnqueuedRow:
    kind_known: bool
    task_id: int | None
    duplicate: bool


@dataclass(frozen=True, kw_only=True)
class _Reserved:
    task_ids: Sequence[int]
    now: datetime
    kinds_known: bool


@dataclass(frozen=True, kw_only=True)
class _Holder:
    kind_id: int
    key: str
    task_id: int


@dataclass(frozen=True, kw_only=True)
class _PausedGroup:
    group_name: str


def enqueue(task: NewTask, *, queue: KnownQueue, clock: Clock) -> Flow[Enqueued]:
    """Store one task.

    Raises InvalidTaskError and QueueFullError before anything is written.
    """
    prepared = prepare(task)
    for _ in range(TRIES):
        kind_ids = yield from _look(queue, [prepared], clock=clock)
        parameters = {"kind_id": kind_ids[prepared.kind], **_parameters(prepared)}
        rows = yield from ask(Query(name="enqueue_task", parameters=parameters, row=_EnqueuedRow))
        row = rows[0]
        if row.task_id is not None:
            queue.count(0 if row.duplicate else 1)
            return Enqueued(task_id=row.task_id, duplicate=row.duplicate)
        if not row.kind_known:
            queue.forget()
    raise _contended(f"kind {prepared.kind!r}, idempotency key {prepared.idempotency_key!r}")


def enqueue_many(tasks: Iterable[NewTask], *, queue: KnownQueue, clock: Clock, batch: int) -> Flow[Sequence[Enqueued]]:
    """Store any number of tasks, in the order given; must run in one transaction, so that all are stored or none.

    Raises InvalidTaskError (naming the position) and QueueFullError; what was written before is for the transaction to undo.
    """
    results: list[Enqueued] = []
    batches = PreparedBatches(tasks, size=batch)
    while prepared := batches.take():
        yield from _enqueue_batch(prepared, results, queue=queue, clock=clock, following=batches)
    return results


def length(queue: KnownQueue, *, kind: str | None = None) -> Flow[int]:
    """How many tasks wait, scheduled ones included; 0 for a queue that does not exist."""
    rows = yield from ask(Query(name="queue_length", parameters={"queue": queue.name, "kind": kind}, row=_Length))
    return rows[0].length


def get_task(task_id: int) -> Flow[Task]:
    """One task wherever it is in its life; raises TaskNotFoundError."""
    rows = yield from ask(Query[dict[str, Any]](name="get_task", parameters={"task_id": task_id}, row=dict))
    if not rows:
        raise TaskNotFoundError(task_id)
    attempts = yield from ask(Query[dict[str, Any]](name="get_attempts", parameters={"task_id": task_id}, row=dict))
    return task_from(rows[0], attempts)


def _look(queue: KnownQueue, tasks: Sequence[PreparedTask], *, clock: Clock) -> Flow[Mapping[str, int]]:
    """The ids of the tasks' kinds, which are created where they are missing; requires that the tasks fit into the queue."""
    kinds = sorted({task.kind for task in tasks})
    kind_ids = None if queue.must_look(adding=len(tasks), now=clock()) else queue.ids_of(kinds)
    if kind_ids is None:
        kind_ids = yield from _find_or_create(queue, kinds, clock=clock)
    for task in tasks:
        require_size(task, most=queue.max_payload_bytes)
    queue.require_room(len(tasks))
    return kind_ids


def _find_or_create(queue: KnownQueue, kinds: Sequence[str], *, clock: Clock) -> Flow[Mapping[str, int]]:
    named = {"queue": queue.name, "kinds": kinds}
    for _ in range(TRIES):
        looks = yield from ask(Query(name="find_kinds", parameters=named, row=Look))
        for look in looks:
            queue.learn(look, now=clock())
            if len(look.kinds) == len(kinds):
                return look.ids
        yield from ask(Query(name="create_kinds", parameters=named))
    raise _contended(f"kinds {', '.join(kinds)}")


def _enqueue_batch(
    tasks: Sequence[PreparedTask], results: list[Enqueued], *, queue: KnownQueue, clock: Clock, following: PreparedBatches
) -> Flow[None]:
    """Store one batch and append its answers; the following one is prepared while the server is busy with this."""
    kind_ids, reserved = yield from _reserve(tasks, queue=queue, clock=clock)
    holders = yield from _claim_keys(tasks, reserved.task_ids, kind_ids=kind_ids)
    placed = [
        PlacedTask(task_id, kind_ids[task.kind], _run_at(task, reserved.now), task)
        for task, task_id in zip(tasks, reserved.task_ids, strict=True)
        if task_id not in holders
    ]

    def answer() -> None:
        results.extend(Enqueued(task_id=holders.get(task_id, task_id), duplicate=task_id in holders) for task_id in reserved.task_ids)

    def prepare_some() -> None:
        # There are as many chunks of tasks as of their rows in ready: half of the next batch with each.
        following.fetch(CHUNK_ROWS // 2)

    # The server works on what it has been sent while we do our part: half of the time of a batch would be waiting otherwise.
    yield Copy(name="copy_tasks", chunks=followed_by(answer, alongside(prepare_some, task_lines(placed, now=reserved.now))))
    aside = yield from _put_aside(placed, now=reserved.now)
    waiting = [item for item in placed if item.task.group not in aside] if aside else placed
    yield Copy(name="copy_ready", chunks=followed_by(following.fetch, alongside(prepare_some, ready_rows(waiting))))
    groups = ledger_groups(waiting)
    columns = {
        "kind_ids": [group.kind_id for group in groups],
        "priorities": [group.priority for group in groups],
        "buckets": [group.bucket for group in groups],
        "counts": [group.count for group in groups],
    }
    yield from ask(Query(name="count_enqueued", parameters={**columns, "now": reserved.now}))
    queue.count(len(placed))


def _put_aside(placed: Sequence[PlacedTask], *, now: datetime) -> Flow[Collection[str | None]]:
    """Store the tasks whose groups are paused as held; returns those groups."""
    groups = sorted({item.task.group for item in placed if item.task.group is not None})
    if not groups:
        return ()
    asked = {"kind_id": placed[0].kind_id, "groups": groups}
    rows = yield from ask(Query(name="enter_groups", parameters=asked, row=_PausedGroup))
    closed = {row.group_name for row in rows}
    aside = [item for item in placed if item.task.group in closed]
    if aside:
        counts = Counter(item.kind_id for item in aside)
        yield Copy(name="copy_held", chunks=held_lines(aside, now=now))
        columns = {"kind_ids": list(counts), "counts": list(counts.values()), "now": now}
        yield from ask(Query(name="count_aside", parameters=columns))
    return closed


def _reserve(tasks: Sequence[PreparedTask], *, queue: KnownQueue, clock: Clock) -> Flow[tuple[Mapping[str, int], _Reserved]]:
    """Ids of the tasks' kinds, and ids for the tasks."""
    for _ in range(TRIES):
        kind_ids = yield from _look(queue, tasks, clock=clock)
        parameters = {"count": len(tasks), "kind_ids": list(kind_ids.values())}
        rows = yield from ask(Query(name="reserve_tasks", parameters=parameters, row=_Reserved))
        if rows[0].kinds_known:
            return kind_ids, rows[0]
        queue.forget()
    raise _contended(f"kinds of queue {queue.name!r}")


def _claim_keys(tasks: Sequence[PreparedTask], task_ids: Sequence[int], *, kind_ids: Mapping[str, int]) -> Flow[Mapping[int, int]]:
    """Duplicates by their reserved id: the id of the task that holds their key."""
    open_keys = {
        task_id: (kind_ids[task.kind], task.idempotency_key)
        for task, task_id in zip(tasks, task_ids, strict=True)
        if task.idempotency_key is not None
    }
    duplicates: dict[int, int] = {}
    for _ in range(TRIES):
        if not open_keys:
            return duplicates
        columns = {
            "kind_ids": [kind_id for kind_id, _ in open_keys.values()],
            "keys": [key for _, key in open_keys.values()],
            "task_ids": list(open_keys),
        }
        rows = yield from ask(Query(name="claim_keys", parameters=columns, row=_Holder))
        holders = {(row.kind_id, row.key): row.task_id for row in rows}
        duplicates |= {task_id: holders[key] for task_id, key in open_keys.items() if key in holders and holders[key] != task_id}
        open_keys = {task_id: key for task_id, key in open_keys.items() if key not in holders}
    if open_keys:
        kind_id, key = next(iter(open_keys.values()))
        raise _contended(f"kind {kind_id}, idempotency key {key!r}")
    return duplicates


def _run_at(task: PreparedTask, now: datetime) -> datetime:
    if task.run_at is not None:
        return task.run_at
    return now + timedelta(seconds=task.delay_seconds) if task.delay_seconds else now


def _parameters(task: PreparedTask) -> Mapping[str, object]:
    return {
        "payload": task.payload,
        "headers": task.headers,
        "priority": task.priority,
        "run_at": task.run_at,
        "delay_seconds": task.delay_seconds,
        "group_name": task.group,
        "entity": task.entity,
        "idempotency_key": task.idempotency_key,
        "max_attempts": task.max_attempts,
        "wants_result": task.wants_result,
    }


def _contended(what: str) -> TaskfleetError:
    return TaskfleetError(f"{what}: others kept creating and finishing it during {TRIES} tries; nothing was enqueued, try again")
