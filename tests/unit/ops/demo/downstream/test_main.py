import asyncio
import signal
import sys

import pytest

from taskfleet_ops.demo.downstream.__main__ import service_of
from taskfleet_ops.demo.downstream.client import DownstreamClient
from taskfleet_ops.demo.story import Story
from tests.support.processes import Processes


@pytest.mark.requirement("A1")
def test_the_service_allows_what_the_story_says() -> None:
    service = service_of(Story(tasks=200))

    granted = [service.bucket.take(now=service.clock()) for _ in range(64)]

    assert 40 <= sum(granted) < 64
    assert "trailer-07" in service.gone


async def test_the_process_tells_its_address_serves_and_ends_when_asked(processes: Processes) -> None:
    process = processes.start([sys.executable, "-m", "taskfleet_ops.demo.downstream", "--tasks", "200"])
    host, port = (await asyncio.to_thread(process.wait_for_output, "\n")).strip().split(":")
    client = DownstreamClient(host, int(port))
    answers = [await client.source(name, task_id=1) for name in ("recording-000000", "trailer-00")]
    client.close()
    process.send(signal.SIGTERM)

    assert [answer.status for answer in answers] == [200, 404]
    assert process.wait() == 0
