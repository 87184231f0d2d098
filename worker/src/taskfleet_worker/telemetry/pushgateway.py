"""Pushes the worker's numbers to a Pushgateway, in threads: a gateway that hangs never holds up a task."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, delete_from_gateway, push_to_gateway

from taskfleet_worker.runtime.supervisor import Beat

_log = logging.getLogger("taskfleet.worker")

JOB = "taskfleet-worker"
ANSWER_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class PushTarget:
    """Where to push, and the group that holds this worker's numbers."""

    url: str
    group: Mapping[str, str]
    seconds: float
    """Between two pushes."""


class Pusher:
    """Pushes every few seconds, and removes its group when the worker goes: else its last numbers would stand for ever."""

    def __init__(self, target: PushTarget, registry: CollectorRegistry) -> None:
        self._target = target
        self._registry = registry

    async def run(self, beat: Beat) -> None:
        """Push for ever; a failed push raises, and the supervisor tries again."""
        while True:
            beat()
            await asyncio.to_thread(self._push)
            await asyncio.sleep(self._target.seconds)

    async def remove(self) -> None:
        """Delete the group; a gateway that does not answer is logged, the operator sweeps later."""
        try:
            await asyncio.to_thread(self._delete)
        except OSError as error:
            _log.warning("pushgateway.group_left", extra={"group": dict(self._target.group), "error": str(error)})

    def _push(self) -> None:
        push_to_gateway(self._target.url, JOB, self._registry, dict(self._target.group), timeout=ANSWER_SECONDS)

    def _delete(self) -> None:
        delete_from_gateway(self._target.url, JOB, dict(self._target.group), timeout=ANSWER_SECONDS)
