"""A relay between a client and a server that can be frozen: a server that hangs, or a network that swallows packets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Relay:
    """Passes bytes on until it is frozen; then it takes them and keeps quiet."""

    host: str
    port: int
    thawed: asyncio.Event = field(default_factory=asyncio.Event)
    own_port: int = 0
    loses_next_answer: bool = False

    def freeze(self) -> None:
        """Pass nothing on from now on."""
        self.thawed.clear()

    def lose_next_answer(self) -> None:
        """Cut the connection on which the server answers next, and swallow that answer: what was asked for has been done."""
        self.loses_next_answer = True

    def url(self, url: str) -> str:
        """The way to the same database through this relay."""
        parts = urlsplit(url)
        return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self.own_port}").geturl()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        from_server, to_server = await asyncio.open_connection(self.host, self.port)
        try:
            await asyncio.gather(self._pump(reader, to_server), self._pump(from_server, writer, answers=True))
        finally:
            to_server.close()
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, answers: bool = False) -> None:
        while data := await source.read(65_536):
            await self.thawed.wait()
            if answers and self.loses_next_answer:
                self.loses_next_answer = False
                break
            target.write(data)
        target.close()


@asynccontextmanager
async def relay_to(url: str) -> AsyncIterator[Relay]:
    """A relay to the server of a URL."""
    parts = urlsplit(url)
    relay = Relay(host=parts.hostname or "127.0.0.1", port=parts.port or 5432)
    relay.thawed.set()
    connections: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            connections.add(task)
        try:
            await relay.serve(reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    relay.own_port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
