"""The blocking producer."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import psycopg
from psycopg.rows import class_row

from taskfleet.channels import NOTIFY, wakeup_channel
from taskfleet.client import dead_letters, lifecycle, operations, pausing, results, schedules
from taskfleet.client.configuration import configure
from taskfleet.client.connections import Connections
from taskfleet.client.listening import listening
from taskfleet.client.steps import Copy, Flow, Query, Step
from taskfleet.client.tracing import sent
from taskfleet.client.waker import Waker
from taskfleet.dead_letters import Cleared, DeadLetterFilter, DeadLetterKey, DeadLetterPage, DeadLetterStats, GroupCounts
from taskfleet.errors import ResultTimeoutError, TaskfleetError
from taskfleet.models import Changed, Enqueued, NewTask, Schedule, Task
from taskfleet.settings import QueueSettings
from taskfleet.store.wakeups import DEBOUNCE_SECONDS
from taskfleet.task_fields import TaskFields

_log = logging.getLogger("taskfleet.producer")

Result = TypeVar("Result")
Connection = psycopg.Connection[Any]


class Producer:
    """Puts tasks into one queue and looks at them; safe to share between threads.

    with Producer("postgresql://…", queue="mail") as producer:
        producer.enqueue("welcome", {"user": 42})

    Without a URL the settings name it (TASKFLEET_DATABASE_URL or TASKFLEET_DATABASE_URL_FILE). Every method takes `connection`, a psycopg
    connection of the caller's: the operation is then part of the caller's transaction, and call `wake` after its commit, or workers find
    the task by polling. Raises DatabaseUnreachableError, SchemaMissingError and SettingsError beside what each method names.
    """

    def __init__(self, url: str | None = None, *, queue: str | None = None, settings: QueueSettings | None = None) -> None:
        self._configuration = configure(url, queue=queue, settings=settings)
        self._known = self._configuration.known
        own = self._configuration.settings
        self._connections = Connections(self._configuration.url, size=own.pool_size, tries=own.connect_tries, pooled=own.pooled)
        self._waker = Waker(self._notify, seconds=DEBOUNCE_SECONDS)

    def __repr__(self) -> str:
        return f"Producer(queue={self.queue!r})"

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def queue(self) -> str:
        """The name of the queue it serves."""
        return self._known.name

    def open(self) -> None:
        """Connect once, so that a wrong URL shows at once. Not needed: every method connects by itself."""
        with self._connections.connection():
            pass

    def close(self) -> None:
        """Send the wake-up that waits, and close the connections. Used again it opens new ones."""
        self._waker.flush()
        self._connections.close()

    def enqueue(self, kind: str, payload: object = None, *, connection: Connection | None = None, **fields: Unpack[TaskFields]) -> Enqueued:
        """Store one task; the queue and the kind are created at first use.

        Raises InvalidTaskError and QueueFullError; nothing was stored then. With an idempotency key that an unfinished task of the kind
        holds, the answer is that task's id.
        """
        with sent([NewTask(kind=kind, payload=payload, **fields)], queue=self.queue) as (task,):
            return self._run(operations.enqueue(task, queue=self._known, clock=time.monotonic), connection, wakes=True)

    def enqueue_many(self, tasks: Iterable[NewTask], *, connection: Connection | None = None) -> Sequence[Enqueued]:
        """Store many tasks, all or none, far faster than one by one; the answers come in the order of the tasks.

        Raises InvalidTaskError (with the position in the batch) and QueueFullError; nothing was stored then.
        """
        batch = self._configuration.settings.enqueue_batch
        with sent(tasks, queue=self.queue) as traced:
            flow = operations.enqueue_many(traced, queue=self._known, clock=time.monotonic, batch=batch)
            return self._run(flow, connection, wakes=True, atomic=True)

    def get_task(self, task_id: int, *, connection: Connection | None = None) -> Task:
        """One task wherever it is in its life; raises TaskNotFoundError."""
        return self._run(operations.get_task(task_id), connection)

    def length(self, *, kind: str | None = None, connection: Connection | None = None) -> int:
        """How many tasks of the queue, or of a kind, wait, scheduled ones included; costs the same at ten and at ten million."""
        return self._run(operations.length(self._known, kind=kind), connection)

    def wait_for_result(self, task_id: int, *, timeout_seconds: float = 60.0) -> object:
        """What a task's handler returned, once it has finished; for tasks enqueued with wants_result (None for others).

        Not for a task in a transaction of yours that is still open: nobody can work on that. Raises TaskFailedError, TaskCancelledError,
        ResultTooLargeError, ResultTimeoutError (the task goes on) and TaskNotFoundError.
        """
        until, pauses = time.monotonic() + timeout_seconds, results.polls(Random())
        with listening(self._configuration.session_url) as listener:
            while True:
                outcome = self._run(results.look(task_id), None)
                if outcome.finished:
                    return results.result_of(task_id, outcome)
                if (left := until - time.monotonic()) <= 0:
                    raise ResultTimeoutError(task_id=task_id, seconds=timeout_seconds)
                listener.wait(task_id, seconds=min(next(pauses), left))

    def cancel(self, task_id: int, *, connection: Connection | None = None) -> Changed:
        """Stop one task: what waits is cancelled at once, what runs is told to its worker, which stops it at its next heartbeat.

        A task that had finished stays as it is (wrong_state). Raises TaskNotFoundError.
        """
        return self._run(lifecycle.cancel(task_id, committed=connection is None), connection)

    def retry(self, task_id: int, *, connection: Connection | None = None) -> Changed:
        """Let a failed or cancelled task wait again as if it were new, its attempts and its clocks too.

        Nothing is changed when another unfinished task holds its idempotency key (idempotency_conflict, with that task's id), or when
        it has not failed (wrong_state). Raises TaskNotFoundError.
        """
        return self._run(lifecycle.retry(task_id), connection, wakes=True)

    def retry_many(self, task_ids: Sequence[int], *, connection: Connection | None = None) -> Sequence[Changed]:
        """Retry many tasks, those that can be; one answer for each, in the order given."""
        return self._run(lifecycle.retry_many(task_ids), connection, wakes=True)

    def change(self, action: lifecycle.Action, task_ids: Sequence[int], *, connection: Connection | None = None) -> Sequence[Changed]:
        """Cancel, retry, pause or resume many tasks; one answer for each, in the order given, also for one that is not there."""
        return self._run(lifecycle.change(action, task_ids, committed=connection is None), connection, wakes=True)

    def pause_task(self, task_id: int, *, connection: Connection | None = None) -> Changed:
        """Put a waiting task aside until it is resumed; one that runs or has finished stays (wrong_state). Raises TaskNotFoundError."""
        return self._run(lifecycle.pause(task_id), connection)

    def resume_task(self, task_id: int, *, connection: Connection | None = None) -> Changed:
        """Let a paused task wait again, unless its group is paused too (held_by_group). Raises TaskNotFoundError."""
        return self._run(lifecycle.resume(task_id), connection, wakes=True)

    def pause_group(self, group: str, *, connection: Connection | None = None) -> bool:
        """Put the waiting tasks of a group aside, and its new ones too, until it is resumed; whether that is new.

        When this returns none of them is claimed any more; moving many may go on in the background.
        """
        return self._run(pausing.pause_group(self.queue, group, clock=_clock_of(connection)), connection)

    def resume_group(self, group: str, *, connection: Connection | None = None) -> bool:
        """Let the tasks of a group wait again, except those that were paused themselves; whether it was paused."""
        return self._run(pausing.resume_group(self.queue, group, clock=_clock_of(connection)), connection, wakes=True)

    def pause_kind(self, kind: str, *, connection: Connection | None = None) -> bool:
        """Let no task of a kind be claimed; whether that is new. What runs goes on, what waits stays as it is."""
        return self._run(pausing.pause_kind(self.queue, kind), connection)

    def resume_kind(self, kind: str, *, connection: Connection | None = None) -> bool:
        """Let tasks of a kind be claimed again; whether it was paused."""
        return self._run(pausing.resume_kind(self.queue, kind), connection, wakes=True)

    def pause_queue(self, *, connection: Connection | None = None) -> bool:
        """Let no task of the queue be claimed; whether that is new. What runs goes on, what waits stays as it is."""
        return self._run(pausing.pause_queue(self.queue), connection)

    def resume_queue(self, *, connection: Connection | None = None) -> bool:
        """Let tasks be claimed again, unless the operator holds the queue; whether it was paused."""
        return self._run(pausing.resume_queue(self.queue), connection, wakes=True)

    def count_group(self, group: str, *, connection: Connection | None = None) -> GroupCounts:
        """How many tasks of a group there are, by state; costs their number."""
        return self._run(dead_letters.count_group(self.queue, group), connection)

    def clear(self, *, kind: str | None = None, group: str | None = None, connection: Connection | None = None) -> Cleared:
        """Remove the tasks that wait or are paused now, for good: of the whole queue, of a kind, of a group, or of a kind in a group.

        What runs goes on, what is enqueued later stays. In batches, each a transaction of its own unless `connection` is given.
        """
        return self._run(dead_letters.clear(self.queue, kind=kind, group=group), connection)

    def dead_letters(
        self,
        wanted: DeadLetterFilter | None = None,
        *,
        limit: int = 50,
        after: DeadLetterKey | None = None,
        connection: Connection | None = None,
    ) -> DeadLetterPage:
        """A page of the failed and cancelled tasks that match, newest first; `after` is `next` of the page before."""
        return self._run(dead_letters.page(self.queue, wanted or DeadLetterFilter(), limit=limit, after=after), connection)

    def dead_letter_stats(self, *, connection: Connection | None = None) -> DeadLetterStats:
        """Failed and cancelled tasks in numbers: by kind, group, code, reason, fingerprint and age."""
        return self._run(dead_letters.statistics(self.queue), connection)

    def retry_dead_letters(self, wanted: DeadLetterFilter, *, limit: int = 500, connection: Connection | None = None) -> Sequence[Changed]:
        """Retry the newest failed and cancelled tasks that match, at most `limit`; one answer for each."""
        return self._run(dead_letters.retry_matching(self.queue, wanted, limit=limit), connection, wakes=True)

    def purge_dead_letters(self, wanted: DeadLetterFilter, *, connection: Connection | None = None) -> int:
        """Forget the failed and cancelled tasks that match, payloads included; how many. In batches, like `clear`."""
        return self._run(dead_letters.purge(self.queue, wanted), connection)

    def schedule(self, name: str, cron: str, task: NewTask, *, time_zone: str = "UTC", connection: Connection | None = None) -> datetime:
        """Enqueue a task at each tick of a cron expression, in a time zone; returns the first tick. The name is unique in the queue.

        Storing it again changes it, and keeps the tick it waits for unless cron or zone have changed: a program may do it at each start.
        Raises InvalidTaskError; nothing was stored then.
        """
        return self._run(schedules.schedule(name, cron, task, time_zone=time_zone, queue=self._known), connection)

    def unschedule(self, name: str, *, connection: Connection | None = None) -> bool:
        """Forget a recurring task; False when there was none of the name. What it has enqueued stays."""
        return self._run(schedules.unschedule(name, queue=self._known), connection)

    def list_schedules(self, *, connection: Connection | None = None) -> Sequence[Schedule]:
        """The recurring tasks of the queue, by name, with the ticks they had and wait for."""
        return self._run(schedules.list_schedules(self._known), connection)

    def wake(self) -> None:
        """Tell sleeping workers that there is work; for after the commit of the caller's own transaction. Failures are only logged."""
        self._waker.wake()

    def _run(self, flow: Flow[Result], connection: Connection | None, *, wakes: bool = False, atomic: bool = False) -> Result:
        if connection is not None:
            with self._configuration.foreign_errors(), _savepoint(connection, wanted=atomic):
                return self._carry_out(flow, connection)
        with self._connections.connection() as own, self._configuration.own_errors(), _transaction(own, wanted=atomic):
            result = self._carry_out(flow, own)
        if wakes:
            self._waker.wake()
        return result

    def _carry_out(self, flow: Flow[Result], connection: Connection) -> Result:
        try:
            step = next(flow)
            while True:
                step = flow.send(self._execute(step, connection))
        except StopIteration as done:
            result: Result = done.value
            return result
        except BaseException:
            # A rollback may have taken back kinds that were created and tasks that were counted.
            self._known.forget()
            raise
        finally:
            flow.close()

    def _execute(self, step: Step, connection: Connection) -> Sequence[object]:
        text = self._configuration.queries[step.name]
        match step:
            case Query(row=None):
                connection.execute(text, step.parameters)
            case Query(row=type() as row):
                with connection.cursor(row_factory=class_row(row)) as cursor:
                    return cursor.execute(text, step.parameters).fetchall()
            case Copy():
                with connection.cursor() as cursor, cursor.copy(text) as copy:
                    for chunk in step.chunks:
                        copy.write(chunk)
        return ()

    def _notify(self) -> None:
        try:
            with self._connections.connection() as connection:
                connection.execute(NOTIFY, [wakeup_channel(self.queue), [""]])
        except (psycopg.Error, TaskfleetError) as error:
            _log.info("notifications.not_sent", extra={"channel": wakeup_channel(self.queue), "error": str(error)})


def _clock_of(connection: Connection | None) -> Callable[[], float] | None:
    """The clock for work that goes on in transactions of its own; None in one of the caller's."""
    return time.monotonic if connection is None else None


def _transaction(connection: Connection, *, wanted: bool) -> AbstractContextManager[object]:
    return connection.transaction() if wanted else nullcontext()


@contextmanager
def _savepoint(connection: Connection, *, wanted: bool) -> Iterator[None]:
    """Part of the caller's transaction that is undone alone when it fails; a transaction of its own on an autocommit connection."""
    if wanted and not connection.autocommit:
        # Outside a transaction the driver would commit ours at the end, which is for the caller to do: begin the caller's first.
        connection.execute("SELECT 1")
    with _transaction(connection, wanted=wanted):
        yield
