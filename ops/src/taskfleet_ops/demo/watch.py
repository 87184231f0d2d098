"""Watches the queue until the story is over: looks once a second, shows what it sees, and gives up when nothing moves any more."""

import asyncio
import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from taskfleet.models import DecisionRecord
from taskfleet.store import Database, OperatorStore, ReaderStore
from taskfleet_ops.demo.downstream.answers import AnswerCounts
from taskfleet_ops.demo.downstream.client import DownstreamClient
from taskfleet_ops.demo.errors import DemoError
from taskfleet_ops.demo.glance import Glance, History, glance_of
from taskfleet_ops.demo.story import Story

LOOK_SECONDS: Final = 1.0
DECISION_SECONDS: Final = 60.0
STALL_SECONDS: Final = 90.0
"""So long without a task finished or a worker more or less, and the demo ends with what it has: a verdict beats a hanging terminal."""


class View(Protocol):
    """What shows the demo to people."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def say(self, sentence: str) -> None:
        """A line that stays."""

    def show(self, history: History) -> None:
        """The figures of the moment."""


class Running(Protocol):
    """A process that the story needs."""

    def require_running(self) -> None:
        """Raise DemoError when it ended by itself."""

    def fault(self, what: str) -> DemoError:
        """The error that says what is wrong with it, with the end of its log."""


class Watch:
    """Looks at one queue through the same stores as the command line does, and at the downstream's own counts."""

    def __init__(self, database: Database, downstream: DownstreamClient, *, story: Story, began: float) -> None:
        self._operator, self._reader = OperatorStore(database), ReaderStore(database)
        self._downstream, self._story, self._began = downstream, story, began
        self.history = History()

    async def look(self) -> Glance:
        """One look; remembered."""
        queue = self._story.queue
        measured = (await self._operator.measure([queue])).get(queue)
        latest: Sequence[DecisionRecord] = await self._reader.decisions(queue, limit=1) if measured else ()
        seconds = time.monotonic() - self._began
        if measured is None:
            glance = Glance(seconds=seconds)
        else:
            glance = glance_of(measured, decision=latest[0] if latest else None, answers=await self.answers(), seconds=seconds)
        self.history.add(glance)
        return glance

    async def answers(self) -> AnswerCounts:
        """What the downstream counted."""
        return AnswerCounts.from_dict(json.loads((await self._downstream.get("/counts")).body))

    async def until_decided(self, *, child: Running) -> None:
        """Wait for the operator's first decision; raises DemoError when it ends or decides nothing for too long."""
        deadline = time.monotonic() + DECISION_SECONDS
        while (await self.look()).decision is None:
            child.require_running()
            if time.monotonic() > deadline:
                raise child.fault(f"decided nothing about queue {self._story.queue} within {DECISION_SECONDS:g} s")
            await asyncio.sleep(LOOK_SECONDS / 4)

    async def until_over(self, *, view: View, children: Sequence[Running]) -> bool:
        """Show the work until all of it is finished and the last worker gone; False when nothing moved for too long.

        Raises DemoError when a child ended by itself.
        """
        moved_at, before = time.monotonic(), (-1, -1)
        while True:
            glance = await self.look()
            view.show(self.history)
            if glance.idle and glance.finished >= self._story.tasks and glance.workers == 0:
                return True
            now, seen = time.monotonic(), (glance.finished, glance.workers)
            if seen != before:
                moved_at, before = now, seen
            if now - moved_at > STALL_SECONDS:
                return False
            for child in children:
                child.require_running()
            await asyncio.sleep(LOOK_SECONDS)
