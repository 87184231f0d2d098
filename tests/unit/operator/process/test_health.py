import asyncio
import errno
from collections.abc import AsyncIterator
from unittest.mock import patch

import pytest

from taskfleet_operator.errors import PortTakenError
from taskfleet_operator.process import health
from taskfleet_operator.process.health import Answer, HealthServer
from taskfleet_operator.process.supervise import Vitals


@pytest.fixture
def vitals() -> Vitals:
    return Vitals()


@pytest.fixture
async def server(vitals: Vitals) -> AsyncIterator[HealthServer]:
    made = HealthServer(vitals, metrics=lambda: Answer(body=b"numbers 1\n", content_type="text/x"))
    yield made
    await made.close()


async def exchange(port: int, request: bytes) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


@pytest.mark.requirement("A2")
async def test_health_is_served_over_http(server: HealthServer, vitals: Vitals) -> None:
    port = await server.start(host="127.0.0.1", port=0)
    vitals.pulse("reconcile", limit_seconds=-1)

    alive = await exchange(port, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")

    assert alive.startswith("HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ")
    assert alive.endswith("reconcile was last heard of 0 s ago, limit -1 s\n")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(b"GET /livez HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK", id="alive"),
        pytest.param(b"GET /metrics?x=1 HTTP/1.1\r\n\r\n", "numbers 1\n", id="metrics, whatever is asked for behind a question mark"),
        pytest.param(b"HEAD /metrics HTTP/1.1\r\n\r\n", "Content-Length: 10\r\nConnection: close\r\n\r\n", id="head has no body"),
        pytest.param(b"POST /livez HTTP/1.1\r\n\r\n", "POST is not possible here, GET is\n", id="another method"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "/ is not here; /livez, /readyz, /metrics are\n", id="another path"),
        pytest.param(b"nonsense\r\n\r\n", "no HTTP request\n", id="no request"),
        pytest.param(b"GET /" + b"x" * 9_000 + b"\r\n\r\n", "HTTP/1.1 400 Bad Request", id="too long a request"),
    ],
)
async def test_request_gets_its_answer(server: HealthServer, request_: bytes, expected: str) -> None:
    port = await server.start(host="127.0.0.1", port=0)

    answer = await exchange(port, request_)

    assert answer.startswith(expected) or answer.endswith(expected)


async def test_ready_means_started(server: HealthServer, vitals: Vitals) -> None:
    before = server.answer("GET", "/readyz").status
    vitals.started = True

    assert (before, server.answer("GET", "/readyz").status) == (503, 200)


async def test_page_that_fails_is_logged_and_answered(vitals: Vitals, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Answer:
        raise RuntimeError("no numbers")

    server = HealthServer(vitals, metrics=broken)
    port = await server.start(host="127.0.0.1", port=0)

    answer = await exchange(port, b"GET /metrics HTTP/1.1\r\n\r\n")
    await server.close()

    assert answer.startswith("HTTP/1.1 500")
    assert [record.message for record in caplog.records] == ["health.failed"]


async def test_client_that_dawdles_or_leaves_is_let_go(server: HealthServer) -> None:
    port = await server.start(host="127.0.0.1", port=0)
    with patch.object(health, "REQUEST_SECONDS", 0.05):
        answer = await exchange(port, b"GET /li")
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()

    assert answer == ""
    assert (await exchange(port, b"GET /livez HTTP/1.1\r\n\r\n")).endswith("alive\n")


async def test_taken_port_is_told_with_the_way_out(server: HealthServer, vitals: Vitals) -> None:
    port = await server.start(host="127.0.0.1", port=0)

    with pytest.raises(
        PortTakenError, match=rf"127\.0\.0\.1:{port}: another program listens there; choose another port with --metrics-port"
    ):
        await HealthServer(vitals, metrics=lambda: Answer.text("")).start(host="127.0.0.1", port=port)


async def test_forbidden_port_is_told_apart(server: HealthServer) -> None:
    refused = OSError(errno.EACCES, "Permission denied")

    with patch("asyncio.start_server", side_effect=refused), pytest.raises(PortTakenError, match="this user may not listen there"):
        await server.start(host="127.0.0.1", port=80)


async def test_other_faults_of_listening_pass_through(server: HealthServer) -> None:
    with patch("asyncio.start_server", side_effect=OSError(errno.ENODEV, "No such device")), pytest.raises(OSError, match="No such device"):
        await server.start(host="127.0.0.1", port=80)
