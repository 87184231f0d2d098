"""One worker from its first session to its last word: puts the parts together, starts the loops, and takes them down in order."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from math import inf
from typing import TYPE_CHECKING, Protocol

from taskfleet.errors import DatabaseUnreachableError
from taskfleet.words import ErrorCode
from taskfleet_worker.registry import Tasks
from taskfleet_worker.rules.admission import Admission, KindLimit
from taskfleet_worker.rules.endings import StopReason
from taskfleet_worker.rules.lanes import StaleCredit
from taskfleet_worker.rules.markbook import MarkBook
from taskfleet_worker.rules.missing import MissingEntities
from taskfleet_worker.rules.pace import Pace
from taskfleet_worker.rules.prefetch import Prefetch
from taskfleet_worker.rules.slots import Slots
from taskfleet_worker.runtime.bench import Bench
from taskfleet_worker.runtime.exchange import Exchange, ExchangeStore
from taskfleet_worker.runtime.heartbeat import Heartbeat, HeartbeatStore, Rhythm
from taskfleet_worker.runtime.holdings import Holdings
from taskfleet_worker.runtime.intake import Appetite, Intake
from taskfleet_worker.runtime.jobs import Jobs
from taskfleet_worker.runtime.news import News
from taskfleet_worker.runtime.notes import Notes, NoteStore
from taskfleet_worker.runtime.outbox import Outbox
from taskfleet_worker.runtime.refresh import MarkRefresh, MarkStore
from taskfleet_worker.runtime.reporting import Reporter
from taskfleet_worker.runtime.session import Session, SessionStore
from taskfleet_worker.runtime.stopping import StopRequests
from taskfleet_worker.runtime.strangers import KindStore, Strangers
from taskfleet_worker.runtime.supervisor import Supervisor
from taskfleet_worker.runtime.watchdog import Watchdog
from taskfleet_worker.settings import KindSettings, WorkerSettings
from taskfleet_worker.telemetry.metrics import WorkerMetrics

if TYPE_CHECKING:
    from taskfleet_worker.telemetry.tracing import Tracing

_log = logging.getLogger("taskfleet.worker")

TRY_SECONDS = 20.0
"""One try to connect with the pause behind it, at most."""
INSIST_SECONDS = 1.0
"""How long a handler that was cancelled may clean up before its task is given back all the same."""
FLUSH_SECONDS = 2.0
"""How long the last endings may try to reach the database; then once more, with the goodbye, for as long."""

LAST_PAUSE_SECONDS = 0.05
"""Between tries of the last word."""


class Exit(IntEnum):
    """What the exit code of a worker tells; a second signal adds its number to 128 instead."""

    DONE = 0
    """Everything it had is finished or given back."""
    FAILED = 1
    """It could not start; the message says why."""
    USAGE = 2
    """Wrong arguments, settings or handlers."""
    DATABASE = 3
    """The database was not reachable, or has no fitting schema."""
    UNWRITTEN = 4
    """It went down while the database was away: some endings were not written, their tasks run again after their lease."""


class WorkerStore(SessionStore, HeartbeatStore, ExchangeStore, MarkStore, NoteStore, KindStore, Protocol):
    """All that a worker asks of the queue; `taskfleet.store.WorkerStore` is the real one."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a worker, put together."""

    metrics: WorkerMetrics
    slots: Slots
    session: Session
    holdings: Holdings
    intake: Intake
    exchange: Exchange
    heartbeat: Heartbeat
    refresh: MarkRefresh
    notes: Notes
    strangers: Strangers


class Worker:
    """Claims tasks of one queue and runs their handlers until it is told to stop."""

    def __init__(self, store: WorkerStore, tasks: Tasks, settings: WorkerSettings, *, tracing: "Tracing | None" = None) -> None:
        self._settings = settings
        self._parts = put_together(store, tasks, settings, tracing=tracing)
        self.metrics = self._parts.metrics
        self.stop = StopRequests()
        self.started = False
        """True once it has had a session; it never turns false again."""
        # One call may spend all its tries on an unreachable database, which is no reason to be restarted.
        stale_seconds = max(settings.loops.stale_seconds, TRY_SECONDS * settings.database.connect_tries)
        self._watchdog = Watchdog(
            seconds=settings.loops.blocked_seconds, who=self._parts.holdings.jobs.task_of, blocked=self.metrics.loop_blocked.add
        )
        self.supervisor = Supervisor(stale_seconds=stale_seconds, failed=self.metrics.loop_failures.add)

    @property
    def taken_slots(self) -> int:
        """Slots with a task."""
        return self._parts.slots.taken

    @property
    def lingering(self) -> int:
        """Handlers that still run though nobody wants their result: only the end of the process ends them."""
        return self._parts.holdings.jobs.lingering

    def woken(self) -> None:
        """Somebody says that there is work."""
        self._parts.intake.woken()

    async def run(self) -> int:
        """Work until told to stop or the errand is done, then go down in order.

        Returns the exit code; raises what the first session cannot be opened for.
        """
        await self._parts.session.open()
        self.supervisor.start("exchange", self._parts.exchange.run)
        self.supervisor.start("heartbeat", self._parts.heartbeat.run)
        self.supervisor.start("fence", self._parts.heartbeat.watch)
        self.supervisor.start("marks", self._parts.refresh.run)
        self.supervisor.start("notes", self._parts.notes.run)
        if self._settings.fail_unknown_kinds:
            self.supervisor.start("strangers", self._parts.strangers.run)
        self.started = True
        _log.info("worker.started", extra={"concurrency": self._settings.concurrency, "lease_seconds": self._settings.lease_seconds})
        self._watchdog.start()
        errand = asyncio.create_task(self._run_errand())
        try:
            await self.stop.asked.wait()
            return await self._go_down()
        finally:
            errand.cancel()
            self._watchdog.stop()

    async def _run_errand(self) -> None:
        """Stop when the errand is done and so is all that it brought: its handlers have their full time."""
        await self._parts.intake.done.wait()
        await self._parts.holdings.jobs.finished(within=inf)
        _log.info("worker.errand_done", extra={"errand": str(self._settings.errand)})
        self.stop.asked.set()

    async def _go_down(self) -> int:
        parts, jobs = self._parts, self._parts.holdings.jobs
        parts.intake.stopped = True
        parts.holdings.give_back()
        jobs.give_back_waiting(ErrorCode.UNSTARTED)
        parts.intake.bell.ring()
        _log.info("worker.stopping", extra={"running": jobs.running, "drain_seconds": self._settings.handler_drain_seconds})
        await self._let_finish()
        if jobs.running:
            _log.warning("worker.gives_back", extra={"running": jobs.running})
            jobs.stop_all(StopReason.SHUTDOWN)
            await jobs.finished(within=INSIST_SECONDS)
            jobs.abandon()
        await self._flush()
        await self.supervisor.stop()
        in_order = await self._say_goodbye()
        await jobs.close()
        _log.info("worker.stopped", extra={"unwritten": len(parts.holdings.outbox), "lingering": self.lingering})
        if not in_order:
            return Exit.UNWRITTEN
        return Exit.DONE if self.stop.hastened_by is None else 128 + self.stop.hastened_by

    async def _let_finish(self) -> None:
        """Wait for running handlers until they are done, the drain time is over, or somebody hastens."""
        finished = asyncio.ensure_future(self._parts.holdings.jobs.finished(within=self._settings.handler_drain_seconds))
        hastened = asyncio.ensure_future(self.stop.hastened.wait())
        await asyncio.wait({finished, hastened}, return_when=asyncio.FIRST_COMPLETED)
        finished.cancel()
        hastened.cancel()
        await asyncio.gather(finished, hastened, return_exceptions=True)

    async def _flush(self) -> None:
        deadline = time.monotonic() + FLUSH_SECONDS
        while not self._parts.holdings.empty and time.monotonic() < deadline:
            self._parts.intake.bell.ring()
            await asyncio.sleep(0.005)

    async def _say_goodbye(self) -> bool:
        """Write what is left, if anything, and close the session; False if that did not work."""
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                while len(self._parts.holdings.outbox):
                    try:
                        await self._parts.exchange.once()
                    except DatabaseUnreachableError:
                        await asyncio.sleep(LAST_PAUSE_SECONDS)
                await self._parts.session.close()
        except Exception as error:  # noqa: BLE001 - the last word of a process that goes anyway
            _log.warning("session.not_closed", extra={"error": f"{type(error).__name__}: {error}"})
            return False
        return True


def put_together(
    store: WorkerStore,
    tasks: Tasks,
    settings: WorkerSettings,
    *,
    tracing: "Tracing | None" = None,
    clock: Callable[[], float] = time.monotonic,
) -> Parts:
    """Build the parts and connect them; `clock` is what the lease is watched by."""
    kinds = tuple(tasks.handlers)
    metrics = WorkerMetrics(queue=settings.queue, kinds=kinds)
    slots, outbox = Slots(settings.concurrency), Outbox()
    session = Session(store, settings, kinds=kinds, clock=clock)
    admission = Admission(kinds, own_limits(settings.kinds, kinds))
    reporter = Reporter(metrics, slots, tracing)
    appetite = Appetite(
        slots=slots,
        admission=admission,
        pace=Pace(poll_seconds=settings.loops.poll_seconds),
        credit=StaleCredit(most=settings.concurrency),
        marks=MarkBook(),
        prefetch=Prefetch(most=settings.prefetch, slots=settings.concurrency),
        trusted_seconds=2.5 * settings.loops.marks_seconds,
    )
    intake = Intake(session, appetite, random=random.random, errand=settings.errand)
    notes = Notes(store)
    bench = Bench(
        handlers=tasks.handlers,
        slots=slots,
        outbox=outbox,
        admission=admission,
        missing=MissingEntities(seconds=settings.missing_entity_seconds, size=settings.missing_entity_size),
        notes=notes,
        overload_pause_seconds=settings.overload_pause_seconds,
        news=News(lambda: tell(holdings, intake)),
        lost=reporter.lost,
        ran=appetite.prefetch.ended,
        tracing=tracing,
    )
    holdings = Holdings(Jobs(bench), outbox, slots)
    exchange = Exchange(store, session, holdings, intake, reporter, flush_seconds=settings.loops.flush_seconds)
    rhythm = Rhythm(
        seconds=settings.heartbeat_seconds,
        lease_seconds=settings.lease_seconds,
        attentive=lambda: slots.pausing == slots.count,
        clock=clock,
    )
    return Parts(
        metrics=metrics,
        slots=slots,
        session=session,
        holdings=holdings,
        intake=intake,
        exchange=exchange,
        heartbeat=Heartbeat(store, session, holdings, rhythm=rhythm, news=intake.bell.ring),
        refresh=MarkRefresh(store, intake, appetite, queue=settings.queue, kinds=kinds, seconds=settings.loops.marks_seconds),
        notes=notes,
        strangers=Strangers(store, admission, queue=settings.queue),
    )


def tell(holdings: Holdings, intake: Intake) -> None:
    """Jobs have ended or slots are free: start what waits, and tell the exchange."""
    holdings.fill()
    intake.bell.ring()


def own_limits(settings: KindSettings, kinds: tuple[str, ...]) -> Mapping[str, KindLimit]:
    """What each kind may do inside this worker."""
    return {
        kind: KindLimit(
            concurrency=settings.concurrency.get(kind, settings.default_concurrency),
            rate_limit_seconds=settings.rate_limit_seconds.get(kind, settings.default_rate_limit_seconds),
        )
        for kind in kinds
    }
