"""Kinds without a handler: a worker that is told to fail them claims them too. Otherwise they wait for a worker that has one."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from taskfleet_worker.rules.admission import Admission
from taskfleet_worker.runtime.supervisor import Beat

LOOK_SECONDS = 5.0
"""Between two looks for kinds that are new to the queue."""


class KindStore(Protocol):
    """Knows the kinds of a queue."""

    async def queue_kinds(self, queue: str) -> Sequence[str]:
        """Every kind of the queue, whoever does it."""


class Strangers:
    """Lets a worker claim every kind of its queue; a task that it has no handler for fails as TASK_PAYLOAD_UNSUPPORTED."""

    def __init__(self, store: KindStore, admission: Admission, *, queue: str) -> None:
        self._store = store
        self._admission = admission
        self._queue = queue

    async def run(self, beat: Beat) -> None:
        """Look for ever."""
        while True:
            beat()
            self._admission.serve(await self._store.queue_kinds(self._queue))
            await asyncio.sleep(LOOK_SECONDS)
