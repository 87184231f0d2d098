"""Keeps the low-water marks of a busy worker fresh."""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol

from taskfleet.models import Mark
from taskfleet_worker.runtime.intake import Appetite, Intake
from taskfleet_worker.runtime.supervisor import Beat


class MarkStore(Protocol):
    """Knows where waiting tasks begin."""

    async def low_water_marks(self, queue: str, *, kinds: Sequence[str]) -> Sequence[Mark]:
        """One mark per kind and priority that has waiting tasks."""

    async def limited_kinds(self, queue: str, *, kinds: Sequence[str]) -> Sequence[str]:
        """Those that a quota, a rate or a ceiling limits; all of them where the queue as a whole is limited."""


class MarkRefresh:
    """Asks for marks and limits every `seconds` while claims bring tasks; an idle worker asks for none and trusts none."""

    def __init__(self, store: MarkStore, intake: Intake, appetite: Appetite, *, queue: str, kinds: Sequence[str], seconds: float) -> None:
        self._store = store
        self._intake = intake
        self._appetite = appetite
        self._queue = queue
        self._kinds = tuple(kinds)
        self._seconds = seconds

    async def run(self, beat: Beat) -> None:
        """Refresh for ever."""
        while True:
            beat()
            if self._intake.active:
                self._intake.active = False
                marks = await self._store.low_water_marks(self._queue, kinds=self._kinds)
                self._appetite.marks.refreshed(marks, now=time.monotonic())
                self._appetite.prefetch.told(limited=bool(await self._store.limited_kinds(self._queue, kinds=self._kinds)))
            await asyncio.sleep(self._seconds)
