"""The stand-in's server: just enough HTTP/1.1 for keep-alive GETs, because parsing must not eat the two cores that the demo shows.

GET /sources/NAME?task=ID   200 after 20 ms | 404 after 20 ms when the source is gone | 429 at once beyond the allowed rate
GET /counts                 200 with the answers so far as JSON
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from taskfleet_ops.demo.downstream.answers import AnswerBook
from taskfleet_ops.demo.downstream.bucket import TokenBucket

_SOURCES: Final = b"/sources/"
_TASK: Final = b"?task="
_END: Final = b"\r\n\r\n"
_MAX_HEAD: Final = 8_192


def _answer(status: str, *, body: bytes = b"", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


_OK: Final = _answer("200 OK")
_GONE: Final = _answer("404 Not Found")
_UNKNOWN: Final = _answer("400 Bad Request", body=b"known: /sources/NAME?task=ID, /counts")


@dataclass(frozen=True, kw_only=True)
class Service:
    """What every connection of the stand-in shares."""

    bucket: TokenBucket
    answers: AnswerBook
    gone: frozenset[str]
    call_seconds: float
    retry_after_seconds: int
    clock: Callable[[], float]

    @property
    def overloaded(self) -> bytes:
        """The refusal."""
        return _answer("429 Too Many Requests", headers=f"Retry-After: {self.retry_after_seconds}\r\n")


class Connection(asyncio.Protocol):
    """One keep-alive connection; the client sends its next request after the answer, as HTTP/1.1 clients do."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._overloaded = service.overloaded
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (asyncio's name)
        """Nobody is left to answer."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Answer each complete request."""
        self._received += data
        while _END in self._received:
            head, self._received = self._received.split(_END, 1)
            self._serve(head)
        if len(self._received) > _MAX_HEAD:
            self._send(_UNKNOWN)
            self._close()

    def _serve(self, head: bytes) -> None:
        words = head.split(b" ", 2)
        target = words[1] if len(words) == 3 else b""
        source, _, task = target.removeprefix(_SOURCES).partition(_TASK)
        if target.startswith(_SOURCES) and task.isdigit():
            self._call(unquote(source.decode(errors="replace")), task_id=int(task))
        elif target == b"/counts":
            self._send(_answer("200 OK", body=json.dumps(self._service.answers.counts().to_dict()).encode()))
        else:
            self._send(_UNKNOWN)

    def _call(self, source: str, *, task_id: int) -> None:
        service = self._service
        if not service.bucket.take(now=service.clock()):
            service.answers.overload()
            self._send(self._overloaded)
        elif source in service.gone:
            service.answers.gone()
            self._loop.call_later(service.call_seconds, self._send, _GONE)
        else:
            service.answers.good(task_id)
            self._loop.call_later(service.call_seconds, self._send, _OK)

    def _send(self, answer: bytes) -> None:
        if self._transport is not None:
            self._transport.write(answer)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
