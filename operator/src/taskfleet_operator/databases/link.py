"""One database: the lead in it, what its queues hold, and what the operator writes into it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from uuid import UUID

from taskfleet.errors import SchemaMissingError, StalePolicyError
from taskfleet.measurements import QueueMeasurement
from taskfleet.migrations import Migrator
from taskfleet.models import DecisionRecord, QueuePolicy
from taskfleet.store import Database, Limits, OperatorStore, Pooler
from taskfleet.store.queue_locks import QueueLocks
from taskfleet_operator.api.convert import queue_policy
from taskfleet_operator.api.task_queue import QueueKey, TaskQueue
from taskfleet_operator.errors import QueueHeldError
from taskfleet_operator.loop.fleet import DrainMarks
from taskfleet_operator.trouble import Trouble, trouble_with_database

Answer = TypeVar("Answer")
APPLICATION_NAME: Final = "taskfleet-operator"
POOL_SIZE: Final = 4
"""Connections to one database: one measures, the others write for different queues."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DatabaseAccess:
    """How to get into a database. Secrets: never shown."""

    url: str = field(repr=False)
    migrate_url: str | None = field(default=None, repr=False)
    """With the right to change the schema; None: the operator does not."""
    direct_url: str | None = field(default=None, repr=False)
    """The way past a pooler, for locks that last; None: there is none, or it is not needed."""


@dataclass(frozen=True, kw_only=True)
class LinkSettings:
    """How the operator speaks to databases."""

    holder: str
    """Who leads, for people who look into the database."""
    schema: str = "taskfleet"
    pooled: bool = False
    statement_timeout_seconds: float = 5.0
    exclusive: bool = False
    """True: an advisory lock per queue decides who scales it (local mode); else whoever runs the loop holds the Lease."""


@dataclass(frozen=True, kw_only=True)
class QueueSight:
    """What a look brought for one queue: a measurement, or the trouble that kept it away."""

    measurement: QueueMeasurement | None = None
    trouble: Trouble | None = None
    saved: Mapping[str, object] | None = None
    """What an earlier operator remembered; given once, on the first sight."""


@dataclass(frozen=True, kw_only=True)
class QueueWrite:
    """What to write for one queue. Only what differs from the last write goes out."""

    queue: str
    marks: DrainMarks = field(default_factory=DrainMarks)
    slots: int | None = None
    """The failure ceiling; None: unset."""
    kind_slots: Mapping[str, int] = field(default_factory=dict)
    enforce: bool = True
    """False: the decision is only recorded (mode Recommend)."""
    record: DecisionRecord | None = None
    state: Mapping[str, object] | None = None


@dataclass(kw_only=True)
class _Written:
    """What the database is known to hold for one queue."""

    policy: QueuePolicy | None = None
    ceiling: tuple[int | None, Mapping[str, int]] | None = None
    loaded: bool = False


class DatabaseLink:
    """The operator's way into one database: takes the lead, measures all its queues in one query, writes what has changed.

    Nothing is retried here: the next tick is the retry. Raises DatabaseUnreachableError and the schema's errors.
    """

    def __init__(self, access: DatabaseAccess, settings: LinkSettings, *, may_lead: Callable[[], bool] = lambda: True) -> None:
        self.access = access
        self._settings = settings
        self._may_lead = may_lead
        self.database = Database(
            access.url,
            schema=settings.schema,
            pool_size=POOL_SIZE,
            pooled=settings.pooled and Pooler(direct_url=access.direct_url),
            application_name=APPLICATION_NAME,
            connect_tries=1,
            limits=Limits(statement_seconds=settings.statement_timeout_seconds),
        )
        self._store = OperatorStore(self.database)
        self._locks = QueueLocks(self.database)
        self._epoch: int | None = None
        self._schema_checked = False
        self._written: dict[str, _Written] = {}

    async def close(self) -> None:
        """Give back locks and connections."""
        await self._locks.close()
        await self.database.close()

    async def look(self, task_queues: Sequence[TaskQueue]) -> Mapping[QueueKey, QueueSight]:
        """See every queue that is ours to scale; the others get their trouble. Policies that changed are written first."""
        try:
            if not self._schema_checked:
                await self._check_schema()
            ours, sights = await self._held(task_queues)
            for task_queue in ours:
                await self._write_policy(task_queue)
            measured = await self._store.measure([task_queue.queue for task_queue in ours]) if ours else {}
            for task_queue in ours:
                saved = await self._saved_state(task_queue.queue)
                sights[task_queue.key] = QueueSight(measurement=measured[task_queue.queue], saved=saved)
        except Exception:
            self._schema_checked = False
            raise
        return sights

    async def write(self, wanted: QueueWrite) -> None:
        """Write marks, ceilings, the decision and the law's memory; returned marks go before new ones."""
        if wanted.enforce:
            await self._mark(wanted.queue, wanted.marks.undrain, draining=False)
            await self._mark(wanted.queue, wanted.marks.drain, draining=True)
            await self._write_ceiling(wanted)
        record, state = wanted.record, wanted.state
        if record is not None:
            await self._fenced(wanted.queue, lambda epoch: self._store.save_decision(record, epoch=epoch))
        if state is not None:
            await self._fenced(wanted.queue, lambda epoch: self._store.save_state(wanted.queue, state, epoch=epoch))

    async def _mark(self, queue: str, sessions: Sequence[UUID], *, draining: bool) -> None:
        if sessions:
            await self._fenced(queue, lambda epoch: self._store.mark_draining(sessions, draining=draining, epoch=epoch))

    async def _write_ceiling(self, wanted: QueueWrite) -> None:
        written, ceiling = self._written.setdefault(wanted.queue, _Written()), (wanted.slots, dict(wanted.kind_slots))
        if written.ceiling != ceiling:
            await self._fenced(
                wanted.queue,
                lambda epoch: self._store.write_ceiling(wanted.queue, slots=wanted.slots, kind_slots=wanted.kind_slots, epoch=epoch),
            )
            written.ceiling = ceiling

    async def _check_schema(self) -> None:
        try:
            await self.database.check_schema()
        except SchemaMissingError:
            if self.access.migrate_url is None:
                raise
            _log.info("database.migrating", extra={"schema": self._settings.schema})
            migrator = Migrator(self.access.migrate_url, self._settings.schema, connect_tries=1)
            await asyncio.to_thread(migrator.up)
        self._schema_checked = True

    async def _held(self, task_queues: Sequence[TaskQueue]) -> tuple[list[TaskQueue], dict[QueueKey, QueueSight]]:
        """Part the queues into those we may scale and the sights of the others."""
        if not self._settings.exclusive:
            return list(task_queues), {}
        held = await self._locks.hold([task_queue.queue for task_queue in task_queues])
        ours = [task_queue for task_queue in task_queues if task_queue.queue in held]
        others = [task_queue for task_queue in task_queues if task_queue.queue not in held]
        for task_queue in others:
            # Whoever holds it may change anything; start from nothing when it comes back to us.
            self._written.pop(task_queue.queue, None)
        return ours, {
            task_queue.key: QueueSight(trouble=trouble_with_database(QueueHeldError(queue=task_queue.queue))) for task_queue in others
        }

    async def _write_policy(self, task_queue: TaskQueue) -> None:
        policy = queue_policy(task_queue)
        written = self._written.setdefault(task_queue.queue, _Written())
        if written.policy != policy:
            await self._fenced(policy.queue, lambda epoch: self._store.write_policy(policy, epoch=epoch))
            written.policy = policy
            _log.info(
                "queue.policy_written", extra={"queue": task_queue.queue, "held": policy.held, "max_concurrent": policy.max_concurrent}
            )

    async def _saved_state(self, queue: str) -> Mapping[str, object] | None:
        written = self._written[queue]
        if written.loaded:
            return None
        saved = await self._store.load_state(queue)
        written.loaded = True
        return saved

    async def _fenced(self, queue: str, work: Callable[[int], Awaitable[Answer]]) -> Answer:
        """Do a write with our epoch; take the lead first, and once more when another operator took it for queues of its own."""
        if self._epoch is None:
            self._epoch = await self._store.take_lead(self._settings.holder)
            _log.info("database.lead_taken", extra={"epoch": self._epoch, "holder": self._settings.holder})
        try:
            return await work(self._epoch)
        except StalePolicyError:
            self._epoch = None
            if not await self._still_ours(queue):
                raise
            self._epoch = await self._store.take_lead(self._settings.holder)
            return await work(self._epoch)

    async def _still_ours(self, queue: str) -> bool:
        """Whether we may raise the epoch: our Lease holds, or our locks do (they end with the connection)."""
        if not self._settings.exclusive:
            return self._may_lead()
        return queue in await self._locks.hold([queue])
