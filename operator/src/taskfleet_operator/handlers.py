"""kopf at the rim: events of TaskQueues come in, the set of known queues changes, nothing else happens here.

kopf lives in a thread and event loop of its own: it takes over the signals and, at its end, every task of the loop it is given.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import kopf

from taskfleet_operator.api.task_queue import QueueKey
from taskfleet_operator.errors import ClusterError, CrdMissingError, ObjectMissingError
from taskfleet_operator.loop.known import key_of
from taskfleet_operator.objects import TASK_QUEUES, ObjectKind

Manifest = Mapping[str, Any]

RELIST_SECONDS: Final = 300.0
"""A TaskQueue that was deleted while the watch was away is forgotten by then: kopf lists anew, but does not tell what is missing."""
BEAT_SECONDS: Final = 1.0
STUCK_SECONDS: Final = 15.0
"""kopf's event loop has not come round for so long: it is started anew."""
END_SECONDS: Final = 10.0
LAST_ROUNDS_SECONDS: Final = 0.25
IDENTITY: Final = "taskfleet-operator"
"""Nobody is told it, but without one kopf asks for the name of the user, and in a container the user has none."""

GROUP, VERSION = TASK_QUEUES.api_version.split("/")
_log = logging.getLogger(__name__)


class KnownQueues(Protocol):
    """The TaskQueues the operator knows; a change wakes the reconcile loop."""

    def remember(self, manifest: Manifest, /) -> object:
        """Take in a TaskQueue as it is now; told again at every change, also of its status."""
        ...

    def forget(self, key: QueueKey, /) -> None:
        """Drop a TaskQueue that is gone."""
        ...


class Lister(Protocol):
    """Where all objects of a kind can be read at once."""

    async def list(self, kind: ObjectKind, /, *, namespace: str | None = None) -> Sequence[Manifest]:
        """Read all objects of a kind, of one namespace or of all. Raises ObjectMissingError when the kind is unknown."""
        ...


class WatchEndedError(Exception):
    """kopf ended or hangs; whoever supervises the watch starts it anew."""


class TaskQueueWatch:
    """Feeds every TaskQueue of the cluster, or of some namespaces, into the set of known queues."""

    def __init__(self, lister: Lister, known: KnownQueues, *, namespaces: Sequence[str] = ()) -> None:
        self._lister = lister
        self._known = known
        self._namespaces = tuple(namespaces)
        self._seen: dict[str, Manifest] = {}
        """By uid, as last told."""
        self.complete = asyncio.Event()
        """Set once everything that was there at the start is known: deciding on less would share out the global cap wrongly."""

    async def run(self, beat: Callable[[], None], stop: asyncio.Event) -> None:
        """Follow TaskQueues until `stop`, saying `beat` while the watch lives.

        Raises CrdMissingError when the cluster does not know TaskQueues, WatchEndedError when kopf ended by itself.
        """
        await self._compare()
        self.complete.set()
        watch = _KopfThread(self._see, namespaces=self._namespaces)
        watch.start()
        try:
            compared_at = time.monotonic()
            while not stop.is_set():
                watch.check()
                beat()
                if time.monotonic() - compared_at >= RELIST_SECONDS:
                    compared_at = time.monotonic()
                    with suppress(ClusterError):  # the watch goes on, and the next comparison is near enough
                        await self._compare()
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), BEAT_SECONDS)
        finally:
            await asyncio.shield(asyncio.to_thread(watch.end))

    async def _compare(self) -> None:
        """Bring what is known to what is there. An event may overtake the list, so what was first seen meanwhile stays."""
        before = dict(self._seen)
        there = {manifest["metadata"]["uid"]: manifest for manifest in await self._list()}
        for uid, manifest in before.items():
            if uid not in there:
                self._see("DELETED", manifest)
        for uid, manifest in there.items():
            if uid not in self._seen:
                self._see(None, manifest)

    async def _list(self) -> Sequence[Manifest]:
        try:
            lists = [await self._lister.list(TASK_QUEUES, namespace=namespace) for namespace in self._namespaces or (None,)]
        except ObjectMissingError as error:
            raise CrdMissingError from error
        return [manifest for found in lists for manifest in found]

    def _see(self, change: str | None, manifest: Manifest) -> None:
        uid = manifest["metadata"]["uid"]
        if change == "DELETED":
            self._seen.pop(uid, None)
            key = key_of(manifest)
            # One of the same name may have been made before this event came: that one stays.
            if all(key_of(other) != key for other in self._seen.values()):
                self._known.forget(key)
        else:
            self._seen[uid] = manifest
            self._known.remember(manifest)


class _KopfThread:
    """kopf, watching, in a thread; tells each event in the event loop that made it."""

    def __init__(self, see: Callable[[str | None, Manifest], None], *, namespaces: Sequence[str]) -> None:
        self._see = see
        self._namespaces = namespaces
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._came_round_at = time.monotonic()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="task-queue-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def check(self) -> None:
        """Raise WatchEndedError unless the thread lives and its event loop comes round."""
        if not self._thread.is_alive():
            message = f"the watch of TaskQueues ended: {self._failure or 'without a word'}"
            raise WatchEndedError(message) from self._failure
        silent = time.monotonic() - self._came_round_at
        if silent > STUCK_SECONDS:
            message = f"the watch of TaskQueues has not come round for {silent:.0f} s"
            raise WatchEndedError(message)

    def end(self) -> None:
        """Ask kopf to end and wait for it; a thread that hangs is left behind, the process ends without it."""
        self._stop.set()
        self._thread.join(END_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._watch())
        except Exception as error:  # noqa: BLE001 - the edge of a thread; check() tells
            self._failure = error

    async def _watch(self) -> None:
        registry = kopf.OperatorRegistry()
        register(registry, self._tell)
        rounds = asyncio.create_task(self._come_round())
        try:
            await kopf.operator(
                registry=registry,
                settings=_settings(),
                identity=IDENTITY,  # type: ignore[arg-type]  # a type of kopf that it does not export
                standalone=True,
                clusterwide=not self._namespaces,
                namespaces=self._namespaces,
                stop_flag=self._stop,
            )
        finally:
            rounds.cancel()
            # aiohttp lets go of its connections in the next rounds of the loop; a loop that ends before leaves their sockets open.
            await asyncio.sleep(LAST_ROUNDS_SECONDS)

    async def _come_round(self) -> None:
        while True:
            self._came_round_at = time.monotonic()
            await asyncio.sleep(BEAT_SECONDS)

    def _tell(self, change: str | None, manifest: Manifest) -> None:
        with suppress(RuntimeError):  # the main loop has ended: nobody listens any more
            self._loop.call_soon_threadsafe(self._see, change, manifest)


def register(registry: kopf.OperatorRegistry, tell: Callable[[str | None, Manifest], None]) -> None:
    """Feed every TaskQueue event into `tell`.

    `on.event` only: it keeps no state on the object (no annotation, no finalizer) and costs nothing per object.
    """

    @kopf.on.login(registry=registry)
    def log_in(**given: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_kubeconfig(**given) or kopf.login_with_service_account(**given)

    @kopf.on.event(GROUP, VERSION, TASK_QUEUES.plural, registry=registry)
    async def task_queue_changed(event: kopf.RawEvent, **_: object) -> None:
        tell(event["type"], event["object"])


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # the CRD is there before we start, and namespaces are named or all
    settings.posting.enabled = False  # our Events say more than kopf's log lines
    settings.process.ultimate_exiting_timeout = None  # kopf would kill the whole process
    settings.queueing.exit_timeout = 0.2  # a handler of ours has nothing to finish
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 30
    settings.networking.request_timeout = 30
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)  # it warns that signals are not its own: they are not
    return settings
