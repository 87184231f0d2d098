"""The signals that end a process: the first asks it to end well, the second to hurry."""

import asyncio
import signal


class Signals:
    """What SIGTERM and SIGINT have asked for. To be made inside the event loop."""

    def __init__(self) -> None:
        self.stop, self.hasten = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.ask)

    def ask(self) -> None:
        """Ask once more."""
        (self.hasten if self.stop.is_set() else self.stop).set()
