import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest

from taskfleet_worker.errors import PortOccupiedError
from taskfleet_worker.telemetry import probes
from taskfleet_worker.telemetry.probes import Answer, Health, ProbeServer


class Worker:
    def __init__(self) -> None:
        self.stale: Sequence[str] = ()
        self.started = False

    async def metrics(self) -> Answer:
        return Answer(status=HTTPStatus.OK, body=b"numbers\n", content_type="text/plain; version=0.0.4")


@asynccontextmanager
async def served(worker: Worker, *, host: str = "") -> AsyncIterator[ProbeServer]:
    server = ProbeServer(Health(stale_loops=lambda: worker.stale, started=lambda: worker.started, metrics=worker.metrics))
    await server.open(host=host, port=0)
    try:
        yield server
    finally:
        await server.close()


async def ask(port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


async def get(port: int, path: str) -> tuple[str, str]:
    """Status line and body."""
    head, _, body = (await ask(port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())).partition("\r\n\r\n")
    return head.splitlines()[0], body


@pytest.mark.requirement("A2")
async def test_livez_fails_when_a_loop_is_stale_and_names_it() -> None:
    worker = Worker()
    async with served(worker) as server:
        alive = await get(server.port, "/livez")
        worker.stale = ["exchange", "heartbeat"]
        stale = await get(server.port, "/livez")

    assert alive == ("HTTP/1.1 200 OK", "alive\n")
    assert stale == ("HTTP/1.1 503 Service Unavailable", "stale: exchange, heartbeat\n")


async def test_readyz_means_started() -> None:
    worker = Worker()
    async with served(worker) as server:
        before = await get(server.port, "/readyz")
        worker.started = True
        worker.stale = ["exchange"]
        after = await get(server.port, "/readyz")

    assert before == ("HTTP/1.1 503 Service Unavailable", "starting\n")
    assert after == ("HTTP/1.1 200 OK", "started\n")


@pytest.mark.requirement("K4")
async def test_metrics_are_served_with_their_type() -> None:
    async with served(Worker(), host="127.0.0.1") as server:
        answer = await ask(server.port, b"GET /metrics?name=x HTTP/1.1\r\n\r\n")

    assert "Content-Type: text/plain; version=0.0.4\r\n" in answer
    assert answer.endswith("\r\n\r\nnumbers\n")


async def test_head_brings_no_body() -> None:
    async with served(Worker()) as server:
        answer = await ask(server.port, b"HEAD /livez HTTP/1.1\r\n\r\n")

    assert answer.startswith("HTTP/1.1 200 OK")
    assert answer.endswith("Content-Length: 6\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"GET /nothing HTTP/1.1", "404"), (b"POST /livez HTTP/1.1", "405"), (b"nonsense", "405")],
)
async def test_other_requests_are_told_what_there_is(request_line: bytes, status: str) -> None:
    async with served(Worker()) as server:
        assert (await ask(server.port, request_line + b"\r\n\r\n")).split(" ")[1] == status


async def test_a_client_that_breaks_off_or_floods_harms_nobody() -> None:
    async with served(Worker()) as server:
        assert await ask(server.port, b"GET /livez" + b"x" * 40_000 + b"\r\n\r\n") == ""
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET ")
        writer.close()
        await writer.wait_closed()

        assert (await get(server.port, "/livez"))[1] == "alive\n"


@pytest.mark.requirement("E10")
async def test_an_occupied_port_is_named_with_the_way_out() -> None:
    async with served(Worker()) as server:
        with pytest.raises(PortOccupiedError, match=f"port {server.port} .*set TASKFLEET_HTTP_PORT to a free port"):
            await ProbeServer(Health(stale_loops=list, started=bool, metrics=Worker().metrics)).open(host="", port=server.port)


async def test_without_dual_stack_sockets_ipv4_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    async with served(Worker()) as server:
        assert (await get(server.port, "/livez"))[1] == "alive\n"


async def test_closing_what_was_never_opened_is_no_error() -> None:
    await ProbeServer(Health(stale_loops=list, started=bool, metrics=Worker().metrics)).close()


def test_an_ipv6_host_gets_an_ipv6_socket() -> None:
    if not socket.has_ipv6:
        return
    with probes._listener("::1", 0) as listener:
        assert listener.family == socket.AF_INET6
