"""Hands: the asyncio tasks that handlers are called in.

Handlers that never wait share a hand, one after the other; a handler that waits has its hand to itself, from its first line to its last, so
that nothing it left behind (a timer that cancels its task, a session kept by task) can meet another task of the queue. Making an asyncio
task takes as long as all else that the runtime does for a task whose handler does nothing.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import copy_context

from taskfleet_worker.runtime.calls import Call

TURN_SECONDS = 0.002
"""The longest that calls which never wait may follow each other before everything else has its turn."""


class Hands:
    """Makes calls in the order in which they are given; as many are under way at once as wait for something."""

    def __init__(self, make: Callable[[Call], Awaitable[None]], *, clock: Callable[[], float]) -> None:
        self._make = make
        self._clock = clock
        self._waiting: deque[Call] = deque()
        self._next: asyncio.Task[None] | None = None
        """The hand that has not begun yet: it goes on where the one at work comes to wait."""
        self._clean = copy_context()
        """What a hand begins with: nothing of the call that happened to give it its first."""

    def give(self, call: Call) -> None:
        """Make this call soon."""
        self._waiting.append(call)
        self._call_next()

    def _call_next(self) -> None:
        if self._next is None or self._next.done():
            self._next = asyncio.get_running_loop().create_task(self._work(), context=self._clean.copy())

    async def _work(self) -> None:
        hand, self._next = asyncio.current_task(), None
        until = self._clock() + TURN_SECONDS
        try:
            while self._waiting:
                call = self._waiting.popleft()
                if self._waiting:
                    self._call_next()
                call.hand = hand
                await self._make(call)
                if call.waited or self._clock() > until or (hand is not None and hand.cancelling()):
                    return
        finally:
            if self._waiting:
                self._call_next()
