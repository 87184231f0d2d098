"""Endings come by the hundred in one turn of the event loop; who acts on them is told once."""

import asyncio
from collections.abc import Callable


class News:
    """Calls `tell` in the next turn of the loop, once, however often there was news in this one."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._due = False

    def __call__(self) -> None:
        """There is news."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_soon(self._now)

    def _now(self) -> None:
        self._due = False
        self._tell()
