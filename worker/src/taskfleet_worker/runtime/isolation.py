"""Context variables of a handler: its own, whichever asyncio task it happens to run in."""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context as Variables
from types import CoroutineType, coroutine
from typing import Any, NamedTuple

from taskfleet_worker.context import Context, current_context


class Begun(NamedTuple):
    """A handler that waits for something for the first time."""

    steps: Coroutine[Any, Any, object]
    variables: Variables
    wanted: Any
    """What it waits for."""


Returned = tuple[object]
"""The result of a handler that never waited. As a value: a StopIteration would note each frame that it passes on its way."""


def begin(variables: Variables, call: Callable[[Any, Any], object], payload: object, context: object) -> Begun | Returned:
    """Call an async handler and run it to its end or to where it waits for the first time, all of it within `variables`.

    Raises what the handler raises.
    """
    return variables.run(_first_step, variables, call, payload, context)


@coroutine
def rest_of(begun: Begun) -> Generator[Any, Any, object]:
    """Await what a handler has still to do, so that what it sets is seen by itself and by what it starts, and by nobody after it."""
    steps, variables, wanted = begun
    try:
        while True:
            try:
                yield wanted
            except BaseException as error:  # noqa: BLE001 - a cancellation, or the error of what it waited for: the handler's to judge
                wanted = variables.run(steps.throw, error)
            else:
                wanted = variables.run(steps.send, None)
    except StopIteration as end:
        return end.value


async def alone(handler: Awaitable[object], variables: Variables) -> object:
    """Await the whole of a handler within `variables`."""
    begun = begin(variables, lambda awaitable, _: awaitable, handler, None)
    return await rest_of(begun) if isinstance(begun, Begun) else begun[0]


def _first_step(variables: Variables, call: Callable[[Any, Any], Any], payload: object, context: object) -> Begun | Returned:
    if type(context) is Context:
        current_context.set(context)
    handler = call(payload, context)
    steps: Coroutine[Any, Any, object] = handler if type(handler) is CoroutineType else _awaited(handler)
    try:
        wanted = steps.send(None)
    except StopIteration as end:
        return (end.value,)
    return Begun(steps, variables, wanted)


async def _awaited(handler: Awaitable[object]) -> object:
    return await handler
