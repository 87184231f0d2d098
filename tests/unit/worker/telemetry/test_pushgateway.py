import asyncio
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from prometheus_client import CollectorRegistry, Counter

from taskfleet_worker.telemetry.pushgateway import Pusher, PushTarget
from tests.support.waiting import eventually

GROUP = {"owner": "", "namespace": "media", "queue": "mail", "pod": "mail-7f"}


class Gateway(HTTPServer):
    """Takes what a Pushgateway takes, and remembers it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taker)
        self.requests: list[tuple[str, str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Taker(BaseHTTPRequestHandler):
    def take(self) -> None:
        assert isinstance(self.server, Gateway)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.requests.append((self.command, self.path, body))
        self.send_response(202)
        self.end_headers()

    do_PUT = do_DELETE = take  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def registry() -> CollectorRegistry:
    found = CollectorRegistry()
    Counter("taskfleet_example", "An example.", registry=found).inc()
    return found


@pytest.mark.requirement("K4")
async def test_numbers_are_pushed_under_the_workers_group_and_removed_at_the_end(gateway: Gateway) -> None:
    pusher = Pusher(PushTarget(url=gateway.url, group=GROUP, seconds=0.01), registry())
    loop = asyncio.create_task(pusher.run(lambda: None))
    await eventually(lambda: len(gateway.requests) >= 2)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    await pusher.remove()

    path = "/metrics/job/taskfleet-worker/owner@base64/=/namespace/media/queue/mail/pod/mail-7f"
    command, found, body = gateway.requests[0]
    assert (command, sorted(found.split("/"))) == ("PUT", sorted(path.split("/")))
    assert "taskfleet_example_total 1.0" in body
    assert [request[0] for request in gateway.requests[-1:]] == ["DELETE"]


async def test_a_gateway_that_is_away_does_not_keep_the_worker_from_going(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    pusher = Pusher(PushTarget(url="http://127.0.0.1:9", group=GROUP, seconds=1.0), registry())
    await pusher.remove()

    assert [record.message for record in caplog.records] == ["pushgateway.group_left"]
