"""/livez, /readyz and /metrics over plain HTTP/1.1: four answers need no web framework."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from taskfleet_worker.errors import PortOccupiedError

_log = logging.getLogger("taskfleet.worker")

REQUEST_SECONDS = 5.0
REQUEST_BYTES = 16_384
PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a client gets."""

    status: HTTPStatus
    body: bytes
    content_type: str = PLAIN


@dataclass(frozen=True, kw_only=True)
class Health:
    """What the probes ask of the worker."""

    stale_loops: Callable[[], Sequence[str]]
    started: Callable[[], bool]
    metrics: Callable[[], Awaitable[Answer]]


class ProbeServer:
    """Answers probes and scrapes until it is closed."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._server: asyncio.Server | None = None
        self.port = -1
        """The port it listens on, once open."""

    async def open(self, *, host: str, port: int) -> None:
        """Listen; port 0 takes any free one. Raises PortOccupiedError."""
        try:
            listener = _listener(host, port)
        except OSError as error:
            raise PortOccupiedError(host=host, port=port, cause=error.strerror or str(error)) from error
        self._server = await asyncio.start_server(self._serve, sock=listener, limit=REQUEST_BYTES)
        self.port = listener.getsockname()[1]
        _log.info("probes.listening", extra={"port": self.port})

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                method, path = _request_line(head)
                answer = await self._answer(method, path)
                writer.write(_response(answer, with_body=method != "HEAD"))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # A client that breaks off or dawdles is its own business.
        finally:
            writer.close()

    async def _answer(self, method: str, path: str) -> Answer:
        if method not in ("GET", "HEAD"):
            return Answer(status=HTTPStatus.METHOD_NOT_ALLOWED, body=b"GET or HEAD\n")
        match path.partition("?")[0]:
            case "/livez":
                return self._livez()
            case "/readyz":
                # Started is all it says: a ReplicaSet deletes unready pods first, whatever they run, so neither draining nor a
                # database that is away may turn it false.
                started = self._health.started()
                return _plain("started" if started else "starting", HTTPStatus.OK if started else HTTPStatus.SERVICE_UNAVAILABLE)
            case "/metrics":
                return await self._health.metrics()
            case _:
                return _plain("there are /livez, /readyz and /metrics", HTTPStatus.NOT_FOUND)

    def _livez(self) -> Answer:
        stale = self._health.stale_loops()
        if stale:
            return _plain(f"stale: {', '.join(stale)}", HTTPStatus.SERVICE_UNAVAILABLE)
        return _plain("alive", HTTPStatus.OK)


def _listener(host: str, port: int) -> socket.socket:
    """A listening socket: IPv6 and IPv4 in one where no host is given and the system can."""
    if host or not socket.has_dualstack_ipv6():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)


def _request_line(head: bytes) -> tuple[str, str]:
    parts = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    return (parts[0], parts[1]) if len(parts) == 3 else ("", "")


def _response(answer: Answer, *, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode("ascii")
    return head + answer.body if with_body else head


def _plain(text: str, status: HTTPStatus) -> Answer:
    return Answer(status=status, body=f"{text}\n".encode())
