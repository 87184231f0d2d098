"""`taskfleet-operator run`: the operator in a cluster, from its place in the election to a clean end."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final
from uuid import uuid4

from taskfleet.settings import QueueSettings
from taskfleet_operator.cluster import Cluster
from taskfleet_operator.databases.link import LinkSettings
from taskfleet_operator.databases.links import DatabaseLinks
from taskfleet_operator.errors import LeadershipLostError
from taskfleet_operator.handlers import TaskQueueWatch
from taskfleet_operator.in_cluster.announcer import ClusterAnnouncer
from taskfleet_operator.in_cluster.secrets import ClusterSecrets
from taskfleet_operator.in_cluster.sights import ClusterSights
from taskfleet_operator.in_cluster.target import DeploymentTarget
from taskfleet_operator.leadership import Leadership
from taskfleet_operator.loop.known import KnownQueues
from taskfleet_operator.objects import ObjectKey
from taskfleet_operator.process.health import HealthServer
from taskfleet_operator.process.signals import Signals
from taskfleet_operator.process.supervise import Pulse, Vitals, supervise
from taskfleet_operator.reconcile import Reconciler
from taskfleet_operator.reporting.metrics import FleetMetrics
from taskfleet_operator.reporting.reporter import FleetReporter
from taskfleet_operator.settings import SettingsFile

DEFAULT_PORT: Final = 8080
EVERY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - the kubelet and Prometheus come from outside the pod
NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
LOOP_LIMIT_SECONDS: Final = 60.0
WATCH_LIMIT_SECONDS: Final = 240.0
"""A watch tells nothing while nothing changes but bookmarks, about one a minute."""
LEASE_LIMIT_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)
Work = Callable[[Pulse], Awaitable[None]]


class ClusterOperator:
    """One operator of a cluster: leads or stands by."""

    def __init__(self, cluster: Cluster, settings: SettingsFile) -> None:
        self._settings, current = settings, settings.current()
        queue_settings = QueueSettings.load()
        self._identity = f"{socket.gethostname()}-{uuid4().hex[:8]}"
        self._vitals, self._metrics, self._known = Vitals(), FleetMetrics(), KnownQueues()
        lease = ObjectKey(namespace=current.lease_namespace or own_namespace(), name=current.lease_name)
        self._leadership = Leadership(cluster, key=lease, identity=self._identity)
        self._watch = TaskQueueWatch(cluster, self._known, namespaces=current.namespaces)
        self._sights = ClusterSights(cluster, namespaces=current.namespaces)
        self._announcer = ClusterAnnouncer(cluster, leading=self._leading)
        self._databases = DatabaseLinks(
            ClusterSecrets(cluster, settings=settings.current),
            LinkSettings(
                holder=self._identity,
                schema=queue_settings.schema_name,
                pooled=queue_settings.pooled,
                statement_timeout_seconds=current.statement_timeout_seconds,
            ),
            vitals=self._vitals,
            failures=self._metrics,
            maintenance=current.maintenance,
            may_lead=self._leading,
        )
        self._reconciler = Reconciler(
            self._known,
            databases=self._databases,
            target=DeploymentTarget(cluster, self._sights, schema=queue_settings.schema_name, leading=self._leading),
            reporter=FleetReporter(self._metrics, self._announcer),
            settings=settings.current,
            tick_took=self._metrics.tick_took,
        )

    async def run(self, signals: Signals) -> int:
        """Take part until told to end. Raises LeadershipLostError when another operator took the lead from this one."""
        async with AsyncExitStack() as stack:
            await self._serve_health(stack)
            self._vitals.started = True  # A standby is as ready as a leader.
            self._vitals.follow("lease", lambda: self._leadership.silent_seconds, limit_seconds=LEASE_LIMIT_SECONDS)
            released = asyncio.Event()
            election = asyncio.create_task(self._leadership.run(released), name="lease")
            work = asyncio.create_task(self._work(signals.stop), name="work")
            told = asyncio.create_task(signals.stop.wait(), name="signals")
            await asyncio.wait({election, work, told}, return_when=asyncio.FIRST_COMPLETED)
            # The lease is given back last: nobody else may begin while something of ours is still being written.
            work.cancel()
            told.cancel()
            await asyncio.wait({work, told})
            await self._databases.close()
            released.set()
            await election
        if not work.cancelled() and (error := work.exception()) is not None:
            raise error
        _log.info("operator.stopped")
        return 0

    async def _work(self, stop: asyncio.Event) -> None:
        """Do all that only the leader does; ends by cancellation."""
        await self._leadership.wait_for_lead()
        loops = [
            self._loop("watch", lambda pulse: self._watch.run(pulse.beat, stop)),
            self._loop("deployments", self._sights.watch_deployments, limit_seconds=WATCH_LIMIT_SECONDS),
            self._loop("pods", self._sights.watch_pods, limit_seconds=WATCH_LIMIT_SECONDS),
            self._loop("announcer", self._announcer.run),
        ]
        try:
            # Deciding on less than everything would share the global cap out wrongly and start workers twice.
            await self._watch.complete.wait()
            await self._sights.complete()
            loops.append(self._loop("reconcile", self._reconcile))
            await asyncio.gather(*loops)
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.wait(loops)

    async def _reconcile(self, pulse: Pulse) -> None:
        await self._reconciler.run(pulse, self._vitals, leading=self._leading)

    def _leading(self) -> bool:
        leads = self._leadership.leading
        self._metrics.leads(leads)
        return leads

    async def _serve_health(self, stack: AsyncExitStack) -> None:
        settings = self._settings.current()
        server = HealthServer(self._vitals, metrics=self._metrics.answer)
        port = DEFAULT_PORT if settings.metrics_port is None else settings.metrics_port
        await server.start(host=settings.metrics_host or EVERY_ADDRESS, port=port)
        stack.push_async_callback(server.close)

    def _loop(self, name: str, work: Work, *, limit_seconds: float = LOOP_LIMIT_SECONDS) -> "asyncio.Task[None]":
        return asyncio.create_task(
            supervise(name, work, vitals=self._vitals, limit_seconds=limit_seconds, failures=self._metrics), name=name
        )


async def run_in_cluster(settings: SettingsFile) -> int:
    """Connect and run; 1 when another operator took the lead, so that a new process stands by in its place."""
    signals = Signals()
    async with await Cluster.connect() as cluster:
        try:
            return await ClusterOperator(cluster, settings).run(signals)
        except LeadershipLostError as error:
            _log.error("lease.lost", extra={"error": str(error)})
            return 1


def own_namespace() -> str:
    """Give the namespace of this pod; `default` outside of a cluster."""
    try:
        return NAMESPACE_FILE.read_text(encoding="utf-8").strip()
    except OSError:
        return os.environ.get("POD_NAMESPACE", "default")
