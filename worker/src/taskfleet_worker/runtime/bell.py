"""One bell that everybody rings who has news for the exchange loop."""

import asyncio


class Bell:
    """An event that is heard once, however often it was rung."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """There is news."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return when the bell was rung since it was last heard, or after `seconds`."""
        if not self._event.is_set():
            timer = asyncio.get_running_loop().call_later(seconds, self._event.set)
            try:
                await self._event.wait()
            finally:
                timer.cancel()
        self._event.clear()
