"""Being told to go: the first signal asks, the second hastens."""

import asyncio
import logging
import signal

_log = logging.getLogger("taskfleet.worker")

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequests:
    """SIGTERM and SIGINT as things to wait for."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        """The worker is to finish what it has and go."""
        self.hastened = asyncio.Event()
        """It is to give back what it has and go now."""
        self.hastened_by: int | None = None
        """The number of the signal that hastened."""

    def listen(self) -> None:
        """Take over the signals of this process."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self.receive, number)

    def receive(self, number: int) -> None:
        """One signal arrived."""
        if self.asked.is_set():
            self.hastened_by = number
            self.hastened.set()
        self.asked.set()
        _log.info("worker.signalled", extra={"signal": signal.Signals(number).name, "hastened": self.hastened.is_set()})
