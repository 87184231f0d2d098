"""Every test here runs twice, with the blocking and with the async producer: they promise the same."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import psycopg
import pytest

import taskfleet
from taskfleet import AsyncProducer, Changed, Enqueued, NewTask, Producer, QueueSettings, Task
from taskfleet.client.lifecycle import Action

Answer = TypeVar("Answer")
AnyConnection = psycopg.Connection[Any] | psycopg.AsyncConnection[Any]


async def plain(answer: Answer | Awaitable[Answer]) -> Answer:
    """The answer of a blocking call, or of an async one."""
    return await answer if inspect.isawaitable(answer) else answer


class EitherProducer:
    """A producer of either sort behind one async face."""

    def __init__(self, producer: Producer | AsyncProducer) -> None:
        self.real: Any = producer

    async def enqueue(self, kind: str, payload: object = None, **fields: Any) -> Enqueued:
        return await plain(self.real.enqueue(kind, payload, **fields))

    async def enqueue_many(self, tasks: Iterable[NewTask], **fields: Any) -> Sequence[Enqueued]:
        return await plain(self.real.enqueue_many(tasks, **fields))

    async def get_task(self, task_id: int, **fields: Any) -> Task:
        return await plain(self.real.get_task(task_id, **fields))

    async def length(self, **fields: Any) -> int:
        return await plain(self.real.length(**fields))

    async def cancel(self, task_id: int, **fields: Any) -> Changed:
        return await plain(self.real.cancel(task_id, **fields))

    async def change(self, action: Action, task_ids: Sequence[int]) -> Sequence[Changed]:
        return await plain(self.real.change(action, task_ids))

    async def wait_for_result(self, task_id: int, **fields: Any) -> object:
        answer: object = await plain(self.real.wait_for_result(task_id, **fields))
        return answer

    async def wake(self) -> None:
        await plain(self.real.wake())

    async def open(self) -> None:
        await plain(self.real.open())

    async def close(self) -> None:
        await plain(self.real.close())


Make = Callable[..., EitherProducer]


@pytest.fixture(params=["blocking", "async"])
def sort(request: pytest.FixtureRequest) -> str:
    """Which sort of producer (and of connection) the test uses."""
    return str(request.param)


@pytest.fixture
async def make(sort: str, database_url: str) -> AsyncIterator[Make]:
    """Makes producers that are closed after the test, and before its database goes: a wake-up may still be on its way."""
    async with AsyncExitStack() as stack:

        def made(url: str | None, **arguments: Any) -> EitherProducer:
            kind = taskfleet.Producer if sort == "blocking" else taskfleet.AsyncProducer
            producer = EitherProducer(kind(url, **{"queue": "orders", **arguments}))
            stack.push_async_callback(producer.close)
            return producer

        yield made


@pytest.fixture
def producer(make: Make, database_url: str) -> EitherProducer:
    """A producer of the queue `orders`."""
    return make(database_url)


@pytest.fixture
def impatient() -> QueueSettings:
    """Settings that give up after two tries."""
    return QueueSettings(connect_tries=2)


@pytest.fixture
def own_connection(sort: str, database_url: str) -> Callable[..., Any]:
    """Opens a connection of the caller's, of the producer's sort: `async with own_connection() as connection`."""

    @asynccontextmanager
    async def opened(**options: Any) -> AsyncIterator[AnyConnection]:
        if sort == "blocking":
            with psycopg.connect(database_url, **options) as blocking:
                yield blocking
        else:
            async with await psycopg.AsyncConnection.connect(database_url, **options) as connection:
                yield connection

    return opened
