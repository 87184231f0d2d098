"""What handlers say about their tasks while they run, on its way to the database: how far they are, that they need longer."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from taskfleet.models import ClaimedTask, LeaseNote, LeaseRef
from taskfleet_worker.runtime.bell import Bell
from taskfleet_worker.runtime.supervisor import Beat

IDLE_SECONDS = 5.0
"""The longest the loop waits without showing that it lives."""
PAUSE_SECONDS = 0.5
"""Between two writes: a handler may speak a thousand times a second, people read slower."""
MOST = 1_000
"""Notes of one write."""


class NoteStore(Protocol):
    """Takes down notes."""

    async def note(self, notes: Sequence[LeaseNote]) -> Sequence[int]:
        """Write them, each fenced by its token; returns the ids of tasks whose lease was lost."""


class Notes:
    """The newest word of each task; a word that comes before the last was written takes its place."""

    def __init__(self, store: NoteStore) -> None:
        self._store = store
        self._waiting: dict[LeaseRef, LeaseNote] = {}
        self._bell = Bell()

    def __len__(self) -> int:
        """Tasks with a word that is not written yet."""
        return len(self._waiting)

    def add(self, note: LeaseNote) -> None:
        """A handler says something."""
        before = self._waiting.get(note.lease)
        if before is not None:
            progress = before.progress if note.progress is None else note.progress
            longer = before.longer_seconds if note.longer_seconds is None else note.longer_seconds
            note = replace(note, progress=progress, longer_seconds=longer)
        self._waiting[note.lease] = note
        self._bell.ring()

    def forget(self, task: ClaimedTask) -> None:
        """The task has ended: nobody asks how far it is."""
        if self._waiting:
            self._waiting.pop(task.lease, None)

    async def run(self, beat: Beat) -> None:
        """Write for ever; after an error the words wait for the next try."""
        while True:
            beat()
            await self._bell.wait(IDLE_SECONDS)
            while self._waiting:
                beat()
                await self._write()
                await asyncio.sleep(PAUSE_SECONDS)

    async def _write(self) -> None:
        taken = list(self._waiting.values())[:MOST]
        try:
            await self._store.note(taken)
        except BaseException:
            self._bell.ring()
            raise
        # What was said meanwhile is newer; a lost lease is the heartbeat's to find.
        for note in taken:
            if self._waiting.get(note.lease) is note:
                del self._waiting[note.lease]
