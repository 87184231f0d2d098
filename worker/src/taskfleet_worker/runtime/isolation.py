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


def begin(variables: Variables, call: Callable[[Any, Any], object], payload: object, context: object) -> Begun:
    """Call an async handler and run it to where it waits for the first time, all of it within `variables`.

    Raises StopIteration with its result if it never waits, as a coroutine does, and whatever it raises.
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
    try:
        begun = begin(variables, lambda awaitable, _: awaitable, handler, None)
    except StopIteration as end:
        return end.value
    return await rest_of(begun)


def _first_step(variables: Variables, call: Callable[[Any, Any], Any], payload: object, context: object) -> Begun:
    if type(context) is Context:
        current_context.set(context)
    handler = call(payload, context)
    steps: Coroutine[Any, Any, object] = handler if type(handler) is CoroutineType else _awaited(handler)
    return Begun(steps, variables, steps.send(None))


async def _awaited(handler: Awaitable[object]) -> object:
    return await handler
