"""Administration of dead letters, and clearing what waits, as steps without I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskfleet.client.lifecycle import retry_many
from taskfleet.client.steps import Flow, Query, ask
from taskfleet.dead_letters import (
    AGE_BOUNDS_SECONDS,
    AgeClass,
    Cleared,
    DeadLetterFilter,
    DeadLetterKey,
    DeadLetterPage,
    DeadLetterStats,
    GroupCounts,
)
from taskfleet.models import Changed
from taskfleet.store.rows.tasks import task_from

BATCH_ROWS = 1_000
"""Tasks that are removed in one short transaction."""
_NEWEST = 10_000
_TOP = 20
"""Groups, codes and fingerprints that statistics name."""


@dataclass(frozen=True, kw_only=True)
class _Found:
    task_id: int
    failed_at: datetime


@dataclass(frozen=True, kw_only=True)
class _Purged:
    purged: int
    last_at: datetime | None
    last_id: int | None


@dataclass(frozen=True, kw_only=True)
class _Counted:
    what: str
    name: str | None
    count: int


@dataclass(frozen=True, kw_only=True)
class _NewestTask:
    task_id: int


@dataclass(frozen=True, kw_only=True)
class _Cleared:
    waiting: int
    paused: int
    last_id: int | None
    more: bool


def page(queue: str, wanted: DeadLetterFilter, *, limit: int, after: DeadLetterKey | None) -> Flow[DeadLetterPage]:
    """Dead letters that match, newest first."""
    parameters = {**_parameters(queue, wanted, after), "limit": limit + 1}
    rows = yield from ask(Query[dict[str, Any]](name="page_dead_letters", parameters=parameters, row=dict))
    tasks = tuple(task_from(row) for row in rows[:limit])
    last = rows[limit - 1] if len(rows) > limit else None
    return DeadLetterPage(tasks=tasks, next=None if last is None else DeadLetterKey(failed_at=last["finished_at"], task_id=last["task_id"]))


def retry_matching(queue: str, wanted: DeadLetterFilter, *, limit: int) -> Flow[Sequence[Changed]]:
    """Retry the newest that match, at most `limit`."""
    parameters = {**_parameters(queue, wanted, None), "limit": limit}
    rows = yield from ask(Query(name="find_dead_letters", parameters=parameters, row=_Found))
    return (yield from retry_many([row.task_id for row in rows]))


def purge(queue: str, wanted: DeadLetterFilter) -> Flow[int]:
    """Forget all that match, in batches; how many that were."""
    purged, after = 0, None
    while True:
        parameters = {**_parameters(queue, wanted, after), "limit": BATCH_ROWS}
        (row,) = yield from ask(Query(name="purge_dead_letters", parameters=parameters, row=_Purged))
        purged += row.purged
        if row.last_at is None or row.last_id is None:
            return purged
        after = DeadLetterKey(failed_at=row.last_at, task_id=row.last_id)


def statistics(queue: str) -> Flow[DeadLetterStats]:
    """Dead letters in numbers."""
    parameters = {"queue": queue, "newest": _NEWEST, "top": _TOP}
    rows = yield from ask(Query(name="dead_letter_stats", parameters=parameters, row=_Counted))

    def named(what: str) -> Mapping[str, int]:
        return {row.name: row.count for row in rows if row.what == what and row.name is not None}

    ages = named("age")
    bounds = (*AGE_BOUNDS_SECONDS, None)
    return DeadLetterStats(
        total=sum(row.count for row in rows if row.what == "total"),
        by_kind=named("kind"),
        by_group=named("group"),
        by_code=named("code"),
        by_reason=named("reason"),
        by_fingerprint=named("fingerprint"),
        by_age=tuple(AgeClass(below_seconds=bound, count=ages.get(str(number), 0)) for number, bound in enumerate(bounds)),
    )


def clear(queue: str, *, kind: str | None, group: str | None) -> Flow[Cleared]:
    """Remove what waits and is there now, in batches."""
    (newest,) = yield from ask(Query(name="newest_task", parameters={}, row=_NewestTask))
    waiting, paused, after = 0, 0, 0
    while True:
        place = {"until_id": newest.task_id, "after_id": after, "limit": BATCH_ROWS}
        parameters = {"queue": queue, "kind": kind, "group": group, **place}
        (row,) = yield from ask(Query(name="clear_waiting", parameters=parameters, row=_Cleared))
        waiting, paused, after = waiting + row.waiting, paused + row.paused, row.last_id or after
        if not row.more:
            return Cleared(waiting=waiting, paused=paused)


def count_group(queue: str, group: str) -> Flow[GroupCounts]:
    """Tasks of a group by state."""
    (row,) = yield from ask(Query(name="count_group", parameters={"queue": queue, "group": group}, row=GroupCounts))
    return row


def _parameters(queue: str, wanted: DeadLetterFilter, after: DeadLetterKey | None) -> Mapping[str, object]:
    return {
        "queue": queue,
        "kind": wanted.kind,
        "group": wanted.group,
        "trace_id": wanted.trace_id,
        "reason": None if wanted.reason is None else str(wanted.reason),
        "code": wanted.code,
        "task_ids": None if wanted.task_ids is None else list(wanted.task_ids),
        "before_at": None if after is None else after.failed_at,
        "before_id": None if after is None else after.task_id,
    }
