"""The async producer: the same operations as the blocking one, awaited."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import psycopg
from psycopg.rows import class_row

from taskfleet.client import dead_letters, lifecycle, operations, pausing, results, schedules
from taskfleet.client.configuration import configure
from taskfleet.client.connections import UNCHECKED_SECONDS
from taskfleet.client.steps import Copy, Flow, Query, Step
from taskfleet.client.tracing import sent
from taskfleet.dead_letters import Cleared, DeadLetterFilter, DeadLetterKey, DeadLetterPage, DeadLetterStats, GroupCounts
from taskfleet.errors import ResultTimeoutError
from taskfleet.models import Changed, Enqueued, NewTask, Schedule, Task
from taskfleet.settings import QueueSettings
from taskfleet.store.connection import Database, Pooler
from taskfleet.store.limits import Limits
from taskfleet.store.results import ResultNews
from taskfleet.task_fields import TaskFields

Result = TypeVar("Result")
Connection = psycopg.AsyncConnection[Any]


class AsyncProducer:
    """Puts tasks into one queue and looks at them; share it between the tasks of one event loop.

    async with AsyncProducer("postgresql://…", queue="mail") as producer:
        await producer.enqueue("welcome", {"user": 42})

    Arguments, errors and promises are those of `Producer`.
    """

    def __init__(self, url: str | None = None, *, queue: str | None = None, settings: QueueSettings | None = None) -> None:
        self._configuration = configure(url, queue=queue, settings=settings)
        self._known = self._configuration.known
        own = self._configuration.settings
        self._database = Database(
            self._configuration.url,
            schema=own.schema_name,
            pool_size=own.pool_size,
            pooled=own.pooled and Pooler(direct_url=self._configuration.session_url),
            application_name="taskfleet producer",
            connect_tries=own.connect_tries,
            limits=Limits(silent_seconds=None),  # what feeds enqueue_many may be slow
        )
        self._news = ResultNews(self._database)
        self._used_at = float("-inf")

    def __repr__(self) -> str:
        return f"AsyncProducer(queue={self.queue!r})"

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    @property
    def queue(self) -> str:
        """The name of the queue it serves."""
        return self._known.name

    async def open(self) -> None:
        """Connect once, so that a wrong URL shows at once. Not needed: every method connects by itself."""
        await self._database.open()

    async def close(self) -> None:
        """Send the wake-up that waits, and close the connections. Used again it opens new ones."""
        await self._database.close()

    async def enqueue(
        self, kind: str, payload: object = None, *, connection: Connection | None = None, **fields: Unpack[TaskFields]
    ) -> Enqueued:
        """Store one task; see `Producer.enqueue`."""
        with sent([NewTask(kind=kind, payload=payload, **fields)], queue=self.queue) as (task,):
            return await self._run(operations.enqueue(task, queue=self._known, clock=time.monotonic), connection, wakes=True)

    async def enqueue_many(self, tasks: Iterable[NewTask], *, connection: Connection | None = None) -> Sequence[Enqueued]:
        """Store many tasks, all or none; see `Producer.enqueue_many`."""
        batch = self._configuration.settings.enqueue_batch
        with sent(tasks, queue=self.queue) as traced:
            flow = operations.enqueue_many(traced, queue=self._known, clock=time.monotonic, batch=batch)
            return await self._run(flow, connection, wakes=True, atomic=True)

    async def get_task(self, task_id: int, *, connection: Connection | None = None) -> Task:
        """One task wherever it is in its life; raises TaskNotFoundError."""
        return await self._run(operations.get_task(task_id), connection)

    async def length(self, *, kind: str | None = None, connection: Connection | None = None) -> int:
        """How many tasks of the queue, or of a kind, wait, scheduled ones included; costs the same at ten and at ten million."""
        return await self._run(operations.length(self._known, kind=kind), connection)

    async def wait_for_result(self, task_id: int, *, timeout_seconds: float = 60.0) -> object:
        """What a task's handler returned, once it has finished; see `Producer.wait_for_result`. All that wait share one connection."""
        until, pauses = time.monotonic() + timeout_seconds, results.polls(Random())
        async with self._news.expecting(task_id) as told:
            while True:
                told.clear()
                outcome = await self._run(results.look(task_id), None)
                if outcome.finished:
                    return results.result_of(task_id, outcome)
                if (left := until - time.monotonic()) <= 0:
                    raise ResultTimeoutError(task_id=task_id, seconds=timeout_seconds)
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(next(pauses), left)):
                        await told.wait()

    async def cancel(self, task_id: int, *, connection: Connection | None = None) -> Changed:
        """Stop one task, or have it stopped; see `Producer.cancel`."""
        return await self._run(lifecycle.cancel(task_id, committed=connection is None), connection)

    async def retry(self, task_id: int, *, connection: Connection | None = None) -> Changed:
        """See `Producer.retry`."""
        return await self._run(lifecycle.retry(task_id), connection, wakes=True)

    async def retry_many(self, task_ids: Sequence[int], *, connection: Connection | None = None) -> Sequence[Changed]:
        """See `Producer.retry_many`."""
        return await self._run(lifecycle.retry_many(task_ids), connection, wakes=True)

    async def change(self, action: lifecycle.Action, task_ids: Sequence[int], *, connection: Connection | None = None) -> Sequence[Changed]:
        """See `Producer.change`."""
        return await self._run(lifecycle.change(action, task_ids, committed=connection is None), connection, wakes=True)

    async def pause_task(self, task_id: int, *, connection: Connection | None = None) -> Changed:
        """See `Producer.pause_task`."""
        return await self._run(lifecycle.pause(task_id), connection)

    async def resume_task(self, task_id: int, *, connection: Connection | None = None) -> Changed:
        """See `Producer.resume_task`."""
        return await self._run(lifecycle.resume(task_id), connection, wakes=True)

    async def pause_group(self, group: str, *, connection: Connection | None = None) -> bool:
        """See `Producer.pause_group`."""
        return await self._run(pausing.pause_group(self.queue, group, clock=_clock_of(connection)), connection)

    async def resume_group(self, group: str, *, connection: Connection | None = None) -> bool:
        """See `Producer.resume_group`."""
        return await self._run(pausing.resume_group(self.queue, group, clock=_clock_of(connection)), connection, wakes=True)

    async def pause_kind(self, kind: str, *, connection: Connection | None = None) -> bool:
        """See `Producer.pause_kind`."""
        return await self._run(pausing.pause_kind(self.queue, kind), connection)

    async def resume_kind(self, kind: str, *, connection: Connection | None = None) -> bool:
        """See `Producer.resume_kind`."""
        return await self._run(pausing.resume_kind(self.queue, kind), connection, wakes=True)

    async def pause_queue(self, *, connection: Connection | None = None) -> bool:
        """See `Producer.pause_queue`."""
        return await self._run(pausing.pause_queue(self.queue), connection)

    async def resume_queue(self, *, connection: Connection | None = None) -> bool:
        """See `Producer.resume_queue`."""
        return await self._run(pausing.resume_queue(self.queue), connection, wakes=True)

    async def count_group(self, group: str, *, connection: Connection | None = None) -> GroupCounts:
        """See `Producer.count_group`."""
        return await self._run(dead_letters.count_group(self.queue, group), connection)

    async def clear(self, *, kind: str | None = None, group: str | None = None, connection: Connection | None = None) -> Cleared:
        """See `Producer.clear`."""
        return await self._run(dead_letters.clear(self.queue, kind=kind, group=group), connection)

    async def dead_letters(
        self,
        wanted: DeadLetterFilter | None = None,
        *,
        limit: int = 50,
        after: DeadLetterKey | None = None,
        connection: Connection | None = None,
    ) -> DeadLetterPage:
        """See `Producer.dead_letters`."""
        return await self._run(dead_letters.page(self.queue, wanted or DeadLetterFilter(), limit=limit, after=after), connection)

    async def dead_letter_stats(self, *, connection: Connection | None = None) -> DeadLetterStats:
        """See `Producer.dead_letter_stats`."""
        return await self._run(dead_letters.statistics(self.queue), connection)

    async def retry_dead_letters(
        self, wanted: DeadLetterFilter, *, limit: int = 500, connection: Connection | None = None
    ) -> Sequence[Changed]:
        """See `Producer.retry_dead_letters`."""
        return await self._run(dead_letters.retry_matching(self.queue, wanted, limit=limit), connection, wakes=True)

    async def purge_dead_letters(self, wanted: DeadLetterFilter, *, connection: Connection | None = None) -> int:
        """See `Producer.purge_dead_letters`."""
        return await self._run(dead_letters.purge(self.queue, wanted), connection)

    async def schedule(
        self, name: str, cron: str, task: NewTask, *, time_zone: str = "UTC", connection: Connection | None = None
    ) -> datetime:
        """Store a recurring task; see `Producer.schedule`."""
        return await self._run(schedules.schedule(name, cron, task, time_zone=time_zone, queue=self._known), connection)

    async def unschedule(self, name: str, *, connection: Connection | None = None) -> bool:
        """Forget a recurring task; False when there was none of the name. What it has enqueued stays."""
        return await self._run(schedules.unschedule(name, queue=self._known), connection)

    async def list_schedules(self, *, connection: Connection | None = None) -> Sequence[Schedule]:
        """The recurring tasks of the queue, by name, with the ticks they had and wait for."""
        return await self._run(schedules.list_schedules(self._known), connection)

    async def wake(self) -> None:
        """Tell sleeping workers that there is work; for after the commit of the caller's own transaction. Failures are only logged."""
        await self._database.wake(self.queue)

    async def _run(self, flow: Flow[Result], connection: Connection | None, *, wakes: bool = False, atomic: bool = False) -> Result:
        if connection is not None:
            with self._configuration.foreign_errors():
                async with _savepoint(connection, wanted=atomic):
                    return await self._carry_out(flow, connection)
        if time.monotonic() - self._used_at > UNCHECKED_SECONDS:
            # An idle connection gives a sign of life first, and a missing one is made, with all its tries: what follows is sent once.
            await self._database.run(_ask_for_a_sign)
        with self._configuration.own_errors():
            async with self._database.connection() as own, _transaction(own, wanted=atomic):
                result = await self._carry_out(flow, own)
        self._used_at = time.monotonic()
        if wakes:
            await self._database.wake(self.queue)
        return result

    async def _carry_out(self, flow: Flow[Result], connection: Connection) -> Result:
        try:
            step = next(flow)
            while True:
                step = flow.send(await self._execute(step, connection))
        except StopIteration as done:
            result: Result = done.value
            return result
        except BaseException:
            # A rollback may have taken back kinds that were created and tasks that were counted.
            self._known.forget()
            raise
        finally:
            flow.close()

    async def _execute(self, step: Step, connection: Connection) -> Sequence[object]:
        text = self._configuration.queries[step.name]
        match step:
            case Query(row=None):
                await connection.execute(text, step.parameters)
            case Query(row=type() as row):
                async with connection.cursor(row_factory=class_row(row)) as cursor:
                    await cursor.execute(text, step.parameters)
                    return await cursor.fetchall()
            case Copy():
                async with connection.cursor() as cursor, cursor.copy(text) as copy:
                    for chunk in step.chunks:
                        await copy.write(chunk)
        return ()


def _clock_of(connection: Connection | None) -> Callable[[], float] | None:
    """The clock for work that goes on in transactions of its own; None in one of the caller's."""
    return time.monotonic if connection is None else None


async def _ask_for_a_sign(connection: Connection) -> None:
    await connection.execute("SELECT 1")


@asynccontextmanager
async def _transaction(connection: Connection, *, wanted: bool) -> AsyncIterator[None]:
    if not wanted:
        yield
        return
    async with connection.transaction():
        yield


@asynccontextmanager
async def _savepoint(connection: Connection, *, wanted: bool) -> AsyncIterator[None]:
    """Part of the caller's transaction that is undone alone when it fails; a transaction of its own on an autocommit connection."""
    if wanted and not connection.autocommit:
        # Outside a transaction the driver would commit ours at the end, which is for the caller to do: begin the caller's first.
        await connection.execute("SELECT 1")
    async with _transaction(connection, wanted=wanted):
        yield
