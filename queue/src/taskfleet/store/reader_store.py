"""What people look at: tasks, statistics, trend, decisions. Nothing here changes anything."""

from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, assert_never

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from taskfleet.errors import TaskNotFoundError
from taskfleet.measurements import OutcomeCount
from taskfleet.models import DecisionRecord, Task
from taskfleet.reports import Attention, CodeCount, EfficiencyReport, KindStats, QueueStats, TracedTask, TrendMinute
from taskfleet.store.connection import Database
from taskfleet.store.rows.tasks import task_from
from taskfleet.words import Outcome, TaskState

_Rows = Sequence[Mapping[str, Any]]


class ReaderStore:
    """Reads for people. All methods raise DatabaseUnreachableError when the database cannot be reached or does not answer in time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_task(self, task_id: int) -> Task:
        """One task, wherever it is in its life, with the attempts that did not succeed; raises TaskNotFoundError."""
        rows = await self._rows("get_task", {"task_id": task_id})
        if not rows:
            raise TaskNotFoundError(task_id)
        return task_from(rows[0], await self._rows("get_attempts", {"task_id": task_id}))

    async def list_tasks(
        self, queue: str, *, state: TaskState, kind: str | None = None, group: str | None = None, limit: int = 50, after: int | None = None
    ) -> Sequence[Task]:
        """Tasks of a queue in one state, highest id first, without their attempts; `after` is the last id of the page before."""
        name, more = _list_query(state)
        parameters = {"queue": queue, "kind": kind, "group": group, "limit": limit, "after": after, **more}
        return tuple(task_from(row) for row in await self._rows(name, parameters))

    async def queues(self) -> Sequence[str]:
        """The names of all queues, in order."""
        return tuple(row["name"] for row in await self._rows("list_queues", {}))

    async def stats(self, queue: str | None) -> QueueStats:
        """A queue, or with None all queues of the database, in numbers."""
        kinds = await self._rows("kind_stats", {"queue": queue})
        codes = await self._rows("failures_by_code", {"queue": queue})
        attention = await self._rows("attention", {"queue": queue})
        span = await self._rows("work_span", {"queue": queue})
        return QueueStats(
            measured_at=span[0]["measured_at"],
            kinds=tuple(KindStats(**row) for row in kinds),
            failed_by_code=tuple(CodeCount(**row) for row in codes),
            attention=tuple(Attention(**row) for row in attention),
        )

    async def trend(self, queue: str, *, minutes: int = 10) -> Sequence[TrendMinute]:
        """What ended in each of the last minutes, oldest first; the last one is not over yet."""
        rows = await self._rows("trend", {"queue": queue, "minutes": minutes})
        return tuple(_trend_minute(minute, tuple(group)) for minute, group in groupby(rows, key=itemgetter("minute")))

    async def decisions(self, queue: str, *, limit: int) -> Sequence[DecisionRecord]:
        """The latest decisions about a queue, newest first."""
        return tuple(DecisionRecord(**row) for row in await self._rows("list_decisions", {"queue": queue, "limit": limit}))

    async def report(self, queue: str) -> EfficiencyReport:
        """What a queue's work has cost since it began."""
        rows = await self._rows("efficiency", {"queue": queue})
        span = (await self._rows("work_span", {"queue": queue}))[0]
        return EfficiencyReport(
            queue=queue,
            outcomes=tuple(OutcomeCount(**row) for row in rows if row["outcome"] != "enqueued"),
            enqueued=sum(row["count"] for row in rows if row["outcome"] == "enqueued"),
            **span,
        )

    async def trace(self, queue: str, *, page: int = 5_000) -> AsyncIterator[Sequence[TracedTask]]:
        """When tasks that succeeded arrived and how long they took, as far back as they are kept: pages in order of their ids."""
        after: int | None = None
        while rows := await self._rows("trace_tasks", {"queue": queue, "after": after, "limit": page}):
            after = rows[-1]["task_id"]
            yield tuple(TracedTask(**row) for row in rows)

    async def _rows(self, query: str, parameters: Mapping[str, object]) -> _Rows:
        async def work(connection: AsyncConnection[Any]) -> _Rows:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(self._database.query(query), parameters)
            return await cursor.fetchall()

        return await self._database.run(work)


def _list_query(state: TaskState) -> tuple[str, Mapping[str, object]]:
    """The query that lists a state, and what it needs besides the filters."""
    match state:
        case TaskState.SCHEDULED | TaskState.READY:
            return "list_waiting", {"scheduled": state is TaskState.SCHEDULED}
        case TaskState.RUNNING:
            return "list_running", {}
        case TaskState.FAILED | TaskState.CANCELLED:
            return "list_dead_letters", {"state": state.value}
        case TaskState.SUCCEEDED:
            return "list_succeeded", {}
        case TaskState.PAUSED:
            return "list_paused", {}
    assert_never(state)


def _trend_minute(minute: Any, rows: _Rows) -> TrendMinute:
    counts: dict[str, int] = {}
    codes: dict[str, int] = {}
    for row in rows:
        if row["outcome"] is not None:
            counts[row["outcome"]] = counts.get(row["outcome"], 0) + row["count"]
        if row["code"]:
            codes[row["code"]] = codes.get(row["code"], 0) + row["count"]
    named = {outcome.value: counts.get(outcome.value, 0) for outcome in Outcome}
    busy = sum(row["busy_seconds"] for row in rows)
    return TrendMinute(minute=minute, enqueued=counts.get("enqueued", 0), **named, busy_seconds=busy, codes=codes)
