"""/livez, /readyz and /metrics over plain HTTP: a small asyncio server, so that no web framework is needed."""

import asyncio
import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from taskfleet_operator.errors import PortTakenError
from taskfleet_operator.process.supervise import Vitals

REQUEST_SECONDS: Final = 5.0
"""A client that does not finish its request by then is cut off."""
LONGEST_REQUEST_LINE: Final = 8_192

_PHRASES: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a path gives."""

    status: int = 200
    body: bytes
    content_type: str = "text/plain; charset=utf-8"

    @classmethod
    def text(cls, sentence: str, *, status: int = 200) -> Self:
        """Give a line of text."""
        return cls(status=status, body=f"{sentence}\n".encode())


class HealthServer:
    """Serves health and metrics until it is closed.

    /livez fails when a loop is stale, so that the process is restarted; /readyz says that it has started.
    """

    def __init__(self, vitals: Vitals, *, metrics: Callable[[], Answer]) -> None:
        self._vitals = vitals
        self._pages: dict[str, Callable[[], Answer]] = {"/livez": self._livez, "/readyz": self._readyz, "/metrics": metrics}
        self._server: asyncio.Server | None = None

    async def start(self, *, host: str, port: int) -> int:
        """Listen, and give the port (a free one where 0 was asked for). Raises PortTakenError when another program has it."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=LONGEST_REQUEST_LINE)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                raise PortTakenError(host=host, port=port, in_use=error.errno == errno.EADDRINUSE) from error
            raise
        taken: int = self._server.sockets[0].getsockname()[1]
        _log.info("health.listening", extra={"host": host, "port": taken})
        return taken

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def answer(self, method: str, path: str) -> Answer:
        """Give what a request asks for."""
        page = self._pages.get(path.split("?", 1)[0])
        if page is None:
            return Answer.text(f"{path} is not here; {', '.join(self._pages)} are", status=404)
        if method not in ("GET", "HEAD"):
            return Answer.text(f"{method} is not possible here, GET is", status=405)
        return page()

    def _livez(self) -> Answer:
        stale = self._vitals.stale()
        return Answer.text("; ".join(stale), status=503) if stale else Answer.text("alive")

    def _readyz(self) -> Answer:
        return Answer.text("ready") if self._vitals.started else Answer.text("not started yet", status=503)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                method, answer = await self._answer_to(reader)
                head = (
                    f"HTTP/1.1 {answer.status} {_PHRASES[answer.status]}\r\nContent-Type: {answer.content_type}\r\n"
                    f"Content-Length: {len(answer.body)}\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode() + (b"" if method == "HEAD" else answer.body))
                await writer.drain()
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            pass  # The client went away or dawdled: nothing to answer.
        finally:
            writer.close()

    async def _answer_to(self, reader: asyncio.StreamReader) -> tuple[str, Answer]:
        """Read a request to the end of its head and give its method with the answer."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        except (asyncio.LimitOverrunError, ValueError):
            return "GET", Answer.text("no HTTP request", status=400)
        try:
            return method, self.answer(method, path)
        except Exception:  # noqa: BLE001 - the edge of a page
            _log.exception("health.failed", extra={"path": path})
            return method, Answer.text("this page failed; see the log", status=500)
