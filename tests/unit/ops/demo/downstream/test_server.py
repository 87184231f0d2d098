"""Server and client together over a real socket: the protocol is what they share."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from taskfleet_ops.demo.downstream.answers import AnswerBook, AnswerCounts
from taskfleet_ops.demo.downstream.bucket import TokenBucket
from taskfleet_ops.demo.downstream.client import DownstreamClient
from taskfleet_ops.demo.downstream.server import Connection, Service
from tests.support.waiting import eventually

GONE = frozenset({"trailer-07"})


@dataclass(kw_only=True)
class Running:
    """A server, what it counts, and its side of each connection."""

    service: Service
    connections: list[Connection]
    port: int = 0

    def connect(self) -> Connection:
        self.connections.append(Connection(self.service))
        return self.connections[-1]


@pytest.fixture
async def downstream() -> AsyncIterator[Running]:
    service = Service(
        bucket=TokenBucket(rate=0, burst=3, now=0),
        answers=AnswerBook(),
        gone=GONE,
        call_seconds=0.001,
        retry_after_seconds=1,
        clock=time.monotonic,
    )
    running = Running(service=service, connections=[])
    server = await asyncio.get_running_loop().create_server(running.connect, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    yield running
    server.close()
    for connection in running.connections:
        connection._close()


@pytest.fixture
async def client(downstream: Running) -> AsyncIterator[DownstreamClient]:
    client = DownstreamClient("127.0.0.1", downstream.port)
    yield client
    client.close()


@pytest.mark.requirement("A1")
async def test_known_sources_are_found_gone_ones_not_and_the_rest_is_too_much(client: DownstreamClient, downstream: Running) -> None:
    answers = [await client.source(name, task_id=task) for task, name in enumerate(("a", "trailer-07", "b", "c"))]

    actual = [(answer.status, answer.retry_after_seconds) for answer in answers]

    assert actual == [(200, None), (404, None), (200, None), (429, 1.0)]
    assert downstream.service.answers.counts() == AnswerCounts(good_answers=2, good_tasks=2, gone_answers=1, overload_answers=1)


async def test_calls_at_once_use_a_connection_each_and_keep_it(client: DownstreamClient) -> None:
    first = await asyncio.gather(*(client.source("a", task_id=task) for task in range(2)))
    second = await client.source("b", task_id=3)

    assert [answer.status for answer in (*first, second)] == [200, 200, 200]


async def test_names_may_hold_any_character(client: DownstreamClient, downstream: Running) -> None:
    answer = await client.source("späte Folge?/7", task_id=9)

    assert (answer.status, downstream.service.answers.counts().good_tasks) == (200, 1)


async def test_counts_are_told_on_request(client: DownstreamClient) -> None:
    await client.source("a", task_id=1)

    answer = await client.get("/counts")

    assert json.loads(answer.body)["good_answers"] == 1


async def test_an_unknown_path_names_the_known_ones(client: DownstreamClient) -> None:
    answer = await client.get("/teapots")

    assert answer.status == 400
    assert answer.body == b"known: /sources/NAME?task=ID, /counts"


async def test_a_request_in_pieces_is_still_one(downstream: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", downstream.port)
    for piece in (b"GET /sources/a", b"?task=1 HTTP/1.1\r\nHost: x", b"\r\n\r\n"):
        writer.write(piece)
        await writer.drain()
    line = await reader.readline()
    writer.close()
    await writer.wait_closed()

    assert line == b"HTTP/1.1 200 OK\r\n"


async def test_a_head_without_end_is_hung_up_on(downstream: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", downstream.port)
    writer.write(b"x" * 9_000)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()

    assert answer.startswith(b"HTTP/1.1 400")


async def test_a_caller_who_left_is_not_answered(downstream: Running) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", downstream.port)
    writer.write(b"GET /sources/a?task=1 HTTP/1.1\r\n\r\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    await eventually(lambda: downstream.service.answers.counts().good_answers == 1)
    await eventually(lambda: downstream.connections[0]._transport is None)


async def test_a_silent_downstream_times_out_and_a_hang_up_is_told() -> None:
    left = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if b"hang-up" not in line:
            await reader.read()
        writer.close()
        await writer.wait_closed()
        left.append(line)

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    client = DownstreamClient("127.0.0.1", server.sockets[0].getsockname()[1], timeout_seconds=0.05)
    with pytest.raises(TimeoutError):
        await client.get("/silence")
    with pytest.raises(ConnectionResetError, match="hung up"):
        await client.get("/hang-up")
    server.close()
    await eventually(lambda: len(left) == 2)


async def test_a_connection_closed_while_idle_is_replaced(client: DownstreamClient, downstream: Running) -> None:
    await client.source("a", task_id=1)
    downstream.connections[0]._close()
    await eventually(lambda: not client._idle[0].open)

    answer = await client.source("b", task_id=2)

    assert (answer.status, len(downstream.connections)) == (200, 2)
