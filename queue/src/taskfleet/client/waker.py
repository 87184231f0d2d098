"""Wake-ups of a blocking producer: the first at once, those that follow together."""

import threading
import time
from collections.abc import Callable


class Waker:
    """Calls `send` at once, and what follows within `seconds` together in one call at their end, from a timer's thread."""

    def __init__(self, send: Callable[[], None], *, seconds: float) -> None:
        self._send = send
        self._seconds = seconds
        self._lock = threading.Lock()
        self._sent_at = float("-inf")
        self._timer: threading.Timer | None = None
        self._sending: set[threading.Thread] = set()

    def wake(self) -> None:
        """Send, now or soon; never dropped."""
        with self._lock:
            if self._timer is not None:
                return
            since = time.monotonic() - self._sent_at
            if since < self._seconds:
                self._timer = threading.Timer(self._seconds - since, self._send_waiting)
                self._timer.daemon = True
                self._timer.start()
                return
            self._sent_at = time.monotonic()
        self._send()

    def flush(self) -> None:
        """Send at once what waits, if anything does, and see through what timers' threads are sending."""
        self._send_waiting()
        with self._lock:
            sending = self._sending - {threading.current_thread()}
        for thread in sending:
            thread.join()

    def _send_waiting(self) -> None:
        this = threading.current_thread()
        with self._lock:
            timer, self._timer = self._timer, None
            if timer is None:
                return
            timer.cancel()
            self._sent_at = time.monotonic()
            self._sending.add(this)
        try:
            self._send()
        finally:
            with self._lock:
                self._sending.discard(this)
