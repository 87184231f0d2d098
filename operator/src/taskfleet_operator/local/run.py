"""`taskfleet-operator run --local FILE…`: the whole operator on one machine, from start to a clean end."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from taskfleet.settings import QueueSettings
from taskfleet_operator.databases.link import LinkSettings
from taskfleet_operator.databases.links import DatabaseLinks
from taskfleet_operator.errors import SpecInvalidError
from taskfleet_operator.local.files import LocalFiles
from taskfleet_operator.local.target import LocalTarget
from taskfleet_operator.loop.known import KnownQueues
from taskfleet_operator.process.health import HealthServer
from taskfleet_operator.process.signals import Signals
from taskfleet_operator.process.supervise import Pulse, Vitals, supervise
from taskfleet_operator.reconcile import Reconciler
from taskfleet_operator.reporting.metrics import FleetMetrics
from taskfleet_operator.reporting.reporter import FleetReporter
from taskfleet_operator.settings import SettingsFile

FILES_SECONDS: Final = 1.0
"""How often the files are looked at."""
LOOP_LIMIT_SECONDS: Final = 30.0
LOOPBACK: Final = "127.0.0.1"

_log = logging.getLogger(__name__)
Work = Callable[[Pulse], Awaitable[None]]


class LocalOperator:
    """An operator whose TaskQueues are files and whose workers are processes."""

    def __init__(self, files: Sequence[Path], settings: SettingsFile) -> None:
        self._settings = settings
        self._queue_settings = QueueSettings.load()
        self._vitals, self._metrics, self._known = Vitals(), FleetMetrics(), KnownQueues()
        self._files = LocalFiles(files, self._known)
        schema = self._queue_settings.schema_name
        self._databases = DatabaseLinks(
            self._files,
            LinkSettings(
                holder=f"{socket.gethostname()}-{os.getpid()}",
                schema=schema,
                pooled=self._queue_settings.pooled,
                statement_timeout_seconds=settings.current().statement_timeout_seconds,
                exclusive=True,
            ),
            vitals=self._vitals,
            failures=self._metrics,
            maintenance=settings.current().maintenance,
        )
        self._target = LocalTarget(self._files, schema=schema, settings=settings.current)
        self._reconciler = Reconciler(
            self._known,
            databases=self._databases,
            target=self._target,
            reporter=FleetReporter(self._metrics),
            settings=settings.current,
            tick_took=self._metrics.tick_took,
        )

    async def run(self) -> int:
        """Follow the files until SIGTERM or SIGINT, then let every worker finish. Gives the exit code."""
        if not self._has_something_to_follow():
            return 1
        signals = Signals()
        async with AsyncExitStack() as stack:
            await self._serve_health(stack)
            loops = [
                self._loop("reconcile", lambda pulse: self._reconciler.run(pulse, self._vitals)),
                self._loop("files", self._watch_files),
                self._loop("workers", self._target.watch),
            ]
            await signals.stop.wait()
            _log.info("operator.stopping", extra={"note": "workers finish what they run; a second signal hastens them"})
            for loop in loops:
                loop.cancel()
            await asyncio.wait(loops)
            await self._target.close(hasten=signals.hasten)
            await self._databases.close()
        _log.info("operator.stopped")
        return 0

    def _has_something_to_follow(self) -> bool:
        """Read the files; say on standard error what is wrong with each, and whether anything is left to do."""
        errors = self._files.load()
        faulty = [known for known in self._files.queues if known.faults]
        for error in errors:
            sys.stderr.write(f"taskfleet-operator: {error}\n")
        for known in faulty:
            sys.stderr.write(f"taskfleet-operator: {SpecInvalidError(str(known.key), known.faults)}\n")
        return any(known.followed for known in self._files.queues)

    async def _serve_health(self, stack: AsyncExitStack) -> None:
        settings = self._settings.current()
        if settings.metrics_port is None:
            return
        self._metrics.leads(True)
        server = HealthServer(self._vitals, metrics=self._metrics.answer)
        await server.start(host=settings.metrics_host or LOOPBACK, port=settings.metrics_port)
        stack.push_async_callback(server.close)

    def _loop(self, name: str, work: Work) -> "asyncio.Task[None]":
        limit = max(LOOP_LIMIT_SECONDS, 10 * self._settings.current().tick_seconds)
        return asyncio.create_task(supervise(name, work, vitals=self._vitals, limit_seconds=limit, failures=self._metrics), name=name)

    async def _watch_files(self, pulse: Pulse) -> None:
        while True:
            self._files.load()
            pulse.beat()
            await asyncio.sleep(FILES_SECONDS)
