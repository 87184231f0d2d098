"""A gate between an operator and its database: open, shut (connections are cut and refused) or stuck (bytes go nowhere)."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from urllib.parse import urlsplit


class Mode(Enum):
    OPEN = auto()
    SHUT = auto()
    STUCK = auto()


class Gate:
    """A TCP proxy in a thread of its own; `url` leads through it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._parts, self._to = parts, (parts.hostname, parts.port)
        self._mode = Mode.OPEN
        self._loop = asyncio.new_event_loop()
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        login = self._parts.netloc.rpartition("@")[0]
        return self._parts._replace(netloc=f"{login}@127.0.0.1:{self._port}").geturl()

    def turn(self, mode: Mode) -> None:
        """Change what happens to connections, those there included."""
        asyncio.run_coroutine_threadsafe(self._turn(mode), self._loop).result(5)

    def run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._pass, "127.0.0.1", 0))
        self._port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    def stop(self) -> None:
        self.turn(Mode.SHUT)
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _turn(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.SHUT:
            for writer in self._writers:
                writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._mode is Mode.SHUT:
            writer.close()
            return
        self._writers.add(writer)
        with suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection(*self._to)
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
        self._writers.discard(writer)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError, ConnectionError):
            while chunk := await source.read(65_536):
                while self._mode is Mode.STUCK:
                    await asyncio.sleep(0.02)
                sink.write(chunk)
                await sink.drain()
        sink.close()


@contextmanager
def gate_to(url: str) -> Iterator[Gate]:
    """A gate that is there for the body."""
    gate, ready = Gate(url), threading.Event()
    thread = threading.Thread(target=gate.run, args=(ready,))
    thread.start()
    ready.wait(10)
    try:
        yield gate
    finally:
        gate.stop()
        thread.join(10)
