"""A worker process as a whole: the worker, its database, its probes and its push, up in order and down in order."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from taskfleet.store import Database, Limits, Pooler, WorkerStore
from taskfleet_worker.errors import WorkerStartError
from taskfleet_worker.registry import Tasks
from taskfleet_worker.rules.errand import Errand
from taskfleet_worker.runtime.supervisor import Beat, Loop
from taskfleet_worker.runtime.worker import Worker
from taskfleet_worker.settings import DatabaseSettings, WorkerSettings
from taskfleet_worker.telemetry.probes import Answer, Health, ProbeServer

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from taskfleet_worker.telemetry.tracing import Tracing

_log = logging.getLogger("taskfleet.worker")

LISTEN_SECONDS = 10.0
"""How often the listening loop shows that it lives."""
MAINTENANCE_AFTER_SECONDS = 0.5
"""From the start of a worker to its first look at maintenance: the first claim goes first."""


async def serve(settings: WorkerSettings, tasks: Tasks) -> int:
    """Work until a signal says stop; returns the exit code.

    Raises PortOccupiedError, DatabaseUnreachableError or SchemaError when the worker cannot start.
    Where handlers still run in threads at the end, the process is left from here: Python itself would wait for them for ever.
    """
    database = open_database(settings.database)
    tracing = start_tracing(settings)
    worker = Worker(WorkerStore(database), tasks, settings, tracing=tracing)
    worker.stop.listen()
    scrape = Scrape(worker, settings)
    async with _probes(settings, worker, scrape), database:
        await database.check_schema()
        worker.supervisor.start("wakeups", _wakeups(database, worker, settings.queue))
        if settings.loops.maintenance:
            worker.supervisor.start("maintenance", _maintenance(database, worker, settings))
        try:
            async with _pushing(settings, worker, scrape):
                code = await worker.run()
        finally:
            await worker.supervisor.stop()
            if tracing is not None:
                await _flush_spans()
    if worker.lingering:
        leave_at_once(code)
    return code


def open_database(settings: DatabaseSettings) -> Database:
    """The database as the settings name it, not yet connected."""
    path = settings.url_file
    return Database(
        settings.url if path is None else lambda: path.read_text(encoding="utf-8").strip(),
        schema=settings.schema,
        pool_size=settings.pool_size,
        pooled=settings.pooled and Pooler(direct_url=settings.direct_url),
        application_name="taskfleet-worker",
        connect_tries=settings.connect_tries,
        limits=Limits(statement_seconds=settings.answer_seconds),
    )


def start_tracing(settings: WorkerSettings) -> "Tracing | None":
    """What makes spans, where OpenTelemetry takes part: asked for by the settings, or loaded by the module of the handlers."""
    endpoint = settings.telemetry.otlp_endpoint
    if endpoint is None and "opentelemetry.trace" not in sys.modules:
        return None
    try:
        from taskfleet_worker.telemetry.tracing import Tracing, export_to

        if endpoint is not None:
            export_to(endpoint, settings)
    except ImportError as error:
        message = f"TASKFLEET_OTLP_ENDPOINT is set, but OpenTelemetry is not installed ({error}): pip install 'taskfleet-worker[otlp]'"
        raise WorkerStartError(message) from error
    return Tracing(queue=settings.queue)


async def _flush_spans() -> None:
    from taskfleet_worker.telemetry.tracing import flush

    await asyncio.to_thread(flush)


def leave_at_once(code: int) -> None:
    """End the process without waiting for threads that nobody can end."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Scrape:
    """The page of /metrics, and the registry behind it; prometheus-client is loaded at the first look, in a thread."""

    def __init__(self, worker: Worker, settings: WorkerSettings) -> None:
        self._worker = worker
        self._slots = settings.concurrency
        self._registry: CollectorRegistry | None = None

    async def answer(self) -> Answer:
        """The page."""
        return await asyncio.to_thread(self._page)

    def registry(self) -> "CollectorRegistry":
        """The registry; made once."""
        from taskfleet_worker.telemetry.exposition import WorkerCollector, registry_of

        if self._registry is None:
            self._registry = registry_of(WorkerCollector(self._worker.metrics, slots=self._slots, taken=lambda: self._worker.taken_slots))
        return self._registry

    def _page(self) -> Answer:
        registry = self.registry()
        from taskfleet_worker.telemetry.exposition import CONTENT_TYPE, exposed

        return Answer(status=HTTPStatus.OK, body=exposed(registry), content_type=CONTENT_TYPE)


@asynccontextmanager
async def _probes(settings: WorkerSettings, worker: Worker, scrape: Scrape) -> AsyncIterator[None]:
    """Answer probes, from before the database is reached until everything is over."""
    if settings.telemetry.http_port < 0:
        yield
        return
    health = Health(stale_loops=worker.supervisor.stale, started=lambda: worker.started, metrics=scrape.answer)
    server = ProbeServer(health)
    await server.open(host=settings.telemetry.http_host, port=settings.telemetry.http_port)
    try:
        yield
    finally:
        await server.close()


@asynccontextmanager
async def _pushing(settings: WorkerSettings, worker: Worker, scrape: Scrape) -> AsyncIterator[None]:
    """Push to a Pushgateway where the settings name one, and take the group away at the end."""
    url = settings.telemetry.pushgateway_url
    if url is None:
        yield
        return
    from taskfleet_worker.telemetry.pushgateway import Pusher, PushTarget

    target = PushTarget(url=url, group=push_group(settings), seconds=settings.telemetry.push_seconds)
    pusher = Pusher(target, await asyncio.to_thread(scrape.registry))
    worker.supervisor.start("push", pusher.run)
    try:
        yield
    finally:
        await pusher.remove()


def push_group(settings: WorkerSettings) -> Mapping[str, str]:
    """What tells this worker's numbers from all others in a Pushgateway, beside the job."""
    telemetry = settings.telemetry
    return {"owner": telemetry.owner, "namespace": telemetry.namespace, "queue": settings.queue, "pod": settings.worker_id}


def _wakeups(database: Database, worker: Worker, queue: str) -> Loop:
    async def run(beat: Beat) -> None:
        async with database.listen(queue) as wakeups:
            while True:
                beat()
                if await wakeups.wait(timeout_seconds=LISTEN_SECONDS):
                    worker.woken()

    return run


def _maintenance(database: Database, worker: Worker, settings: WorkerSettings) -> Loop:
    async def run(beat: Beat) -> None:
        if settings.errand is Errand.ENDLESS:
            # One that may be gone in a moment helps at once: a fleet of such workers alone would else never clean up.
            await asyncio.sleep(MAINTENANCE_AFTER_SECONDS)
        from taskfleet.maintenance import Maintenance, MaintenanceSettings

        loops = settings.loops
        chosen = MaintenanceSettings(recover_seconds=loops.recovery_seconds, recover_batch=loops.recovery_batch)
        maintenance, stop = Maintenance(database, settings=chosen), asyncio.Event()
        task = asyncio.ensure_future(maintenance.run(stop))
        failures, seen = 0, 0.0
        try:
            while not task.done():
                if maintenance.alive_at != seen:
                    seen = maintenance.alive_at
                    beat()
                worker.metrics.loop_failures.add("maintenance", sum(maintenance.failures.values()) - failures)
                failures = sum(maintenance.failures.values())
                await asyncio.wait({task}, timeout=LISTEN_SECONDS)
            task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return run
