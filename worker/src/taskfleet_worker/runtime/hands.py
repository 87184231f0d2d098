"""Hands: the asyncio tasks that handlers are called in.

Handlers that never wait share a hand, one after the other; a handler that waits has its hand to itself, from its first line to its last, so
that nothing it left behind (a timer that cancels its task, a session kept by task) can meet another task of the queue. Making an asyncio
task takes as long as all else that the runtime does for a task whose handler does nothing.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sized
from contextvars import copy_context
from typing import Protocol

TURN_SECONDS = 0.002
"""The longest that calls which never wait may follow each other before everything else has its turn."""
MOST_AT_ONCE = 16
"""Hands that may begin in one turn of the event loop, while each comes to wait soon: a turn takes as long as half of a hand."""


class Work(Protocol):
    """What hands are for."""

    def begin(self, hand: "asyncio.Task[object] | None") -> Awaitable[None] | None:
        """Begin with what is next, in this asyncio task; returns what is left of it to await, or None if it is over already."""

    def turn_over(self, seconds: float) -> None:
        """Others have their turn now, after so many seconds."""


class Hands:
    """Begins one after the other what waits; as much is under way at once as waits for something."""

    def __init__(self, work: Work, waiting: Sized, *, clock: Callable[[], float]) -> None:
        self._work_for = work
        self._waiting = waiting
        self._clock = clock
        self._called: deque[asyncio.Task[None]] = deque()
        """Hands that have not begun yet: they go on where the one at work comes to wait."""
        self._at_once = 1
        """How many to call: twice as many after each that came to wait soon, one after any other."""
        self._clean = copy_context()
        """What a hand begins with: nothing of whoever happened to call it."""

    def call(self) -> None:
        """Begin soon with what waits, if anything does."""
        called = self._called
        while called and called[0].done():  # somebody cancelled it before it began
            called.popleft()
        for _ in range(min(self._at_once, len(self._waiting)) - len(called)):
            called.append(asyncio.get_running_loop().create_task(self._work(), context=self._clean.copy()))

    async def _work(self) -> None:
        hand = asyncio.current_task()
        while self._called.popleft() is not hand:
            pass
        began = self._clock()
        rest: Awaitable[None] | None = None
        try:
            rest = self._begin_until(hand, began + TURN_SECONDS)
        finally:
            seconds = self._clock() - began
            waits_soon = rest is not None and seconds < TURN_SECONDS / MOST_AT_ONCE
            self._at_once = min(2 * self._at_once, MOST_AT_ONCE) if waits_soon else 1
            self._work_for.turn_over(seconds)
            self.call()
        if rest is not None:
            await rest

    def _begin_until(self, hand: "asyncio.Task[object] | None", until: float) -> Awaitable[None] | None:
        begin, waiting, clock = self._work_for.begin, self._waiting, self._clock
        while len(waiting):
            rest = begin(hand)
            if rest is not None:
                return rest
            if clock() > until or (hand is not None and hand.cancelling()):
                return None
        return None
