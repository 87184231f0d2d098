"""The demo's handlers against scripted answers of a downstream."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from taskfleet_ops.demo import tasks
from taskfleet_ops.demo.stage.task_queue import DOWNSTREAM_VARIABLE
from taskfleet_worker import EntityNotFound, Overloaded

ANSWERS = {
    "known": "200 OK\r\nContent-Length: 0",
    "gone": "404 Not Found\r\nContent-Length: 0",
    "busy": "429 Too Many Requests\r\nContent-Length: 0\r\nRetry-After: 2",
    "broken": "500 Internal Server Error\r\nContent-Length: 3",
}


class Downstream(asyncio.Protocol):
    """One connection of it."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        name = data.split(b"?", 1)[0].rsplit(b"/", 1)[1].decode()
        self.transport.write(f"HTTP/1.1 {ANSWERS[name]}\r\n\r\n".encode())
        if name == "broken":
            # The body comes later, as it may.
            asyncio.get_running_loop().call_later(0.01, self.transport.write, b"oh!")


@pytest.fixture(autouse=True)
async def _downstream(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    connections: list[Downstream] = []

    def connected() -> Downstream:
        connections.append(Downstream())
        return connections[-1]

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    monkeypatch.setenv(DOWNSTREAM_VARIABLE, f"{host}:{port}")
    tasks.downstream.cache_clear()
    yield
    tasks.downstream().close()
    tasks.downstream.cache_clear()
    server.close()
    for connection in connections:
        if connection.transport is not None:
            connection.transport.close()


@pytest.mark.requirement("B6")
async def test_what_the_downstream_answers_becomes_a_verdict_on_the_task() -> None:
    await tasks.fetch("known", task_id=1)

    with pytest.raises(EntityNotFound) as gone:
        await tasks.fetch("gone", task_id=2)
    with pytest.raises(Overloaded) as overloaded:
        await tasks.fetch("busy", task_id=3)
    with pytest.raises(RuntimeError, match="the downstream answered 500 for broken"):
        await tasks.fetch("broken", task_id=4)

    assert gone.value.entity == "gone"
    assert overloaded.value.retry_after == 2


def test_both_kinds_have_a_handler() -> None:
    assert set(tasks.tasks.handlers) == {"transcode", "index"}
