"""Worker processes of this machine as scale target."""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from taskfleet_operator.api.task_queue import QueueKey, TaskQueue
from taskfleet_operator.databases.links import AccessSource
from taskfleet_operator.local.crew import Crew
from taskfleet_operator.local.launch import Launch, launch_of
from taskfleet_operator.local.restarts import Restarts
from taskfleet_operator.loop.fleet import FleetState, Scaled, ScaleOrder
from taskfleet_operator.process.supervise import Pulse
from taskfleet_operator.settings import OperatorSettings
from taskfleet_operator.trouble import Trouble, trouble_with_target

REAP_SECONDS: Final = 0.25
"""How often ended workers are noticed and their output is shown."""
KILL_HASTENED_SECONDS: Final = 5.0
"""What workers get to give back their tasks after they were hastened."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Post:
    """A queue's workers and what they are to run."""

    crew: Crew
    launch: Launch


def show_on_stderr(chunk: bytes) -> None:
    """Pass on what a worker printed."""
    sys.stderr.buffer.write(chunk)
    sys.stderr.buffer.flush()


class LocalTarget:
    """Runs the workers of every queue as processes. Whoever ends, ends by SIGTERM and after finishing what it holds."""

    def __init__(
        self,
        access: AccessSource,
        *,
        schema: str,
        settings: Callable[[], OperatorSettings],
        show: Callable[[bytes], object] = show_on_stderr,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._access, self._schema, self._settings = access, schema, settings
        self._show, self._environment = show, environment
        self._posts: dict[QueueKey, _Post] = {}
        self._retired: list[Crew] = []

    async def look(self, task_queues: Sequence[TaskQueue]) -> Mapping[QueueKey, FleetState | Trouble]:
        """Say what runs of each queue; workers of queues that are gone finish and end."""
        for key in set(self._posts) - {task_queue.key for task_queue in task_queues}:
            post = self._posts.pop(key)
            post.crew.let_go()
            self._retired.append(post.crew)
            _log.info("queue.let_go", extra={"task_queue": str(key)})
        return {task_queue.key: await self._look_at(task_queue) for task_queue in task_queues}

    async def prepare(self, task_queue: TaskQueue) -> None:
        """Nothing to do: processes are all there is."""

    async def scale(self, task_queue: TaskQueue, order: ScaleOrder) -> Scaled:
        """Start and end processes; raises WorkerTemplateError or WorkerStartError."""
        post = self._posts[task_queue.key]
        return Scaled(replicas=order.replicas, gone=post.crew.scale(post.launch, order))

    async def watch(self, pulse: Pulse) -> None:
        """Notice ended workers and show output, for ever."""
        while True:
            for crew in self._crews():
                crew.reap()
            self._retired = [crew for crew in self._retired if not crew.empty]
            pulse.beat()
            await asyncio.sleep(REAP_SECONDS)

    async def close(self, *, hasten: asyncio.Event) -> None:
        """End all workers: each finishes what it runs within its grace. `hasten` tells them again, and then kills what is left."""
        for crew in self._crews():
            crew.let_go()
        told_again_at: float | None = None
        while any(not crew.empty for crew in self._crews()):
            for crew in self._crews():
                crew.reap()
                if hasten.is_set() and told_again_at is None:
                    crew.let_go()
                elif told_again_at is not None and time.monotonic() - told_again_at > KILL_HASTENED_SECONDS:
                    crew.kill()
            if hasten.is_set() and told_again_at is None:
                told_again_at = time.monotonic()
            await asyncio.sleep(REAP_SECONDS / 5)

    def _crews(self) -> list[Crew]:
        return [*(post.crew for post in self._posts.values()), *self._retired]

    async def _look_at(self, task_queue: TaskQueue) -> FleetState | Trouble:
        """A queue whose template cannot be run keeps the workers it has, as they are."""
        before = self._posts.get(task_queue.key)
        try:
            access = await self._access.access_of(task_queue)
            launch = launch_of(task_queue, database_url=access.url, schema=self._schema)
        except Exception as error:  # noqa: BLE001 - the edge of one queue
            return trouble_with_target(error)
        crew = before.crew if before else self._new_crew(task_queue)
        self._posts[task_queue.key] = _Post(crew=crew, launch=launch)
        return crew.state(launch)

    def _new_crew(self, task_queue: TaskQueue) -> Crew:
        settings = self._settings()
        restarts = Restarts(first_seconds=settings.local_restart_seconds, longest_seconds=settings.local_longest_restart_seconds)
        return Crew(task_queue.queue, restarts=restarts, show=self._show, environment=self._environment)
