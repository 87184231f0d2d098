"""Plays the program in every pod of a fleet: sessions, claims, leases and drain marks are real, in a real database; pods run nothing.

What real workers do in their pods is shown by the end-to-end test; here it is the operator that is watched.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from taskfleet.models import Completion, LeaseRef, NewSession, Settlement
from taskfleet.store import Database, WorkerStore
from taskfleet_operator.cluster import Cluster
from taskfleet_operator.objects import PODS, PodSeen, read_pod

LOOK_SECONDS = 0.1
LEASE_SECONDS = 600.0


@dataclass(frozen=True)
class _Running:
    lease: LeaseRef
    begun: float


@dataclass
class PlayedWorkers:
    """The workers of one queue, as many as there are ready pods in the namespace."""

    cluster: Cluster
    store: WorkerStore
    namespace: str
    queue: str
    slots: int = 2
    kinds: Sequence[str] = ("work",)
    task_seconds: float = 0.2
    """How long a task takes; may be changed at any time and holds for tasks that run, too."""
    done: int = 0
    killed: list[str] = field(default_factory=list)
    """Pods that were told to end while they held a lease: busy workers that the operator gave up."""
    busy: dict[str, int] = field(default_factory=dict)
    """Leases by pod name, of pods that are up."""
    _up: set[str] = field(default_factory=set)

    async def pods(self) -> tuple[PodSeen, ...]:
        """All pods of the namespace as they are now."""
        return tuple(read_pod(each) for each in await self.cluster.list(PODS, namespace=self.namespace))

    async def play(self) -> None:
        """Play until cancelled."""
        async with asyncio.TaskGroup() as group:
            known: set[str] = set()
            while True:
                up = [pod for pod in await self.pods() if not pod.terminating]
                self._up = {pod.uid for pod in up}
                for pod in up:
                    if pod.ready and pod.uid not in known:
                        known.add(pod.uid)
                        group.create_task(self._play(pod))
                await asyncio.sleep(LOOK_SECONDS)

    async def _play(self, pod: PodSeen) -> None:
        session = uuid.uuid4()
        await self.store.open_session(
            NewSession(
                session_id=session,
                queue=self.queue,
                worker=pod.key.name,
                pod_uid=pod.uid,
                slots=self.slots,
                kinds=self.kinds,
                lease_seconds=LEASE_SECONDS,
            )
        )
        running: list[_Running] = []
        while pod.uid in self._up:
            running = await self._go_on(session, running)
            self.busy[pod.key.name] = len(running)
            await asyncio.sleep(LOOK_SECONDS)
        self.busy.pop(pod.key.name, None)
        if running:
            self.killed.append(pod.key.name)
        await self._finish(running)
        await self.store.close_session(session)

    async def _go_on(self, session: uuid.UUID, running: list[_Running]) -> list[_Running]:
        """Finish what is done, say that we live, and claim what there is room for; gives what runs now."""
        now = asyncio.get_running_loop().time()
        await self._finish([each for each in running if now - each.begun >= self.task_seconds])
        running = [each for each in running if now - each.begun < self.task_seconds]
        answer = await self.store.heartbeat(session, held=[each.lease for each in running])
        if answer.draining:
            if not running:
                await self.store.mark_drained(session)
        elif len(running) < self.slots:
            claim = await self.store.claim(session, kinds=self.kinds, limit=self.slots - len(running))
            running += [_Running(lease=task.lease, begun=now) for task in claim.tasks]
        return running

    async def _finish(self, ended: Sequence[_Running]) -> None:
        if ended:
            settled = await self.store.settle(Settlement(completions=[Completion(lease=each.lease) for each in ended]))
            self.done += len(settled.finished)


@asynccontextmanager
async def played_workers(
    cluster: Cluster, database: Database, *, namespace: str, queue: str, slots: int = 2
) -> AsyncIterator[PlayedWorkers]:
    """Play workers in a namespace for as long as the block lasts."""
    workers = PlayedWorkers(cluster, WorkerStore(database), namespace, queue, slots=slots)
    playing = asyncio.create_task(workers.play())
    try:
        yield workers
    finally:
        playing.cancel()
        (ended,) = await asyncio.gather(playing, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended  # why nothing went on: the test's own failure is its context
