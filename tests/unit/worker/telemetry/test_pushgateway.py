import asyncio
import logging

import pytest
from prometheus_client import CollectorRegistry, Counter

from taskfleet_worker.telemetry.pushgateway import Pusher, PushTarget
from tests.support.pushgateway import Gateway, gateway
from tests.support.waiting import eventually

__all__ = ["gateway"]

GROUP = {"owner": "", "namespace": "media", "queue": "mail", "pod": "mail-7f"}


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
