"""Context variables of a handler: its own, whichever asyncio task it happens to run in."""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context as Variables
from types import CoroutineType, coroutine
from typing import Any


@coroutine
def alone(handler: Awaitable[object], variables: Variables, waits: Callable[[], None]) -> Generator[Any, None, object]:
    """Await a handler so that what it sets is seen by itself and by what it starts, and by nobody after it.

    `waits` is called when it waits for something for the first time.
    """
    steps: Coroutine[Any, None, object] = handler if type(handler) is CoroutineType else _awaited(handler)
    try:
        wanted = variables.run(steps.send, None)
        waits()
        while True:
            try:
                yield wanted
            except BaseException as error:  # noqa: BLE001 - a cancellation, or the error of what it waited for: the handler's to judge
                wanted = variables.run(steps.throw, error)
            else:
                wanted = variables.run(steps.send, None)
    except StopIteration as end:
        return end.value


async def _awaited(handler: Awaitable[object]) -> object:
    return await handler
