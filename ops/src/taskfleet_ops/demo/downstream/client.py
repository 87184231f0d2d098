"""The client that the demo's handlers use: keep-alive connections, one request on each at a time."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY_AFTER: Final = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the downstream said."""

    status: int
    body: bytes = b""
    retry_after_seconds: float | None = None


class DownstreamClient:
    """Asks the downstream over as many keep-alive connections as calls run at once.

    Raises ConnectionError (or another OSError) when the downstream cannot be reached or hangs up, TimeoutError when it is silent.
    """

    def __init__(self, host: str, port: int, *, timeout_seconds: float = 5.0) -> None:
        self._host, self._port, self._timeout = host, port, timeout_seconds
        self._idle: list[_Connection] = []

    async def source(self, name: str, *, task_id: int) -> Answer:
        """Ask for a source on behalf of a task."""
        return await self.get(f"/sources/{quote(name, safe='')}?task={task_id}")

    async def get(self, target: str) -> Answer:
        """GET `target`."""
        connection = await self._connection()
        async with asyncio.timeout(self._timeout):
            answer = await connection.ask(target)
        # Only an orderly answer makes a connection fit for another call: after an exception it is never put back.
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Hang up."""
        for connection in self._idle:
            connection.hang_up()
        self._idle.clear()

    async def _connection(self) -> "_Connection":
        while self._idle:
            if (connection := self._idle.pop()).open:
                return connection
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: _Connection(self._host), self._host, self._port)
        return made


class _Connection(asyncio.Protocol):
    def __init__(self, host: str) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[Answer] | None = None

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, target: str) -> Answer:
        if self._transport is None:
            raise ConnectionResetError("the downstream hung up")
        self._received = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(f"GET {target} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        try:
            return await self._answer
        except BaseException:
            self.hang_up()
            raise

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the downstream hung up"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(_END)
        if not found or self._answer is None or self._answer.done():
            return
        length = _LENGTH.search(head)
        if len(body) >= (int(length[1]) if length else 0):
            retry_after = _RETRY_AFTER.search(head)
            self._answer.set_result(
                Answer(status=int(head[9:12]), body=body, retry_after_seconds=float(retry_after[1]) if retry_after else None)
            )
