"""Waiting for a condition with a deadline: what tests do instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

Found = TypeVar("Found")


def wait_until(condition: Callable[[], Found], *, within: float = 10.0, every: float = 0.02) -> Found:
    """The first truthy answer of `condition`; an AssertionError that quotes it when it stays falsy for `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(condition, within, found))
        time.sleep(every)
    return found


@overload
async def eventually(condition: Callable[[], Awaitable[Found]], *, within: float = ..., every: float = ...) -> Found: ...
@overload
async def eventually(condition: Callable[[], Found], *, within: float = ..., every: float = ...) -> Found: ...
async def eventually(condition: Callable[[], Awaitable[Found] | Found], *, within: float = 10.0, every: float = 0.02) -> Found:
    """The same for async tests; the condition may be async itself."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        found: Found = await answer if inspect.isawaitable(answer) else answer
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(condition, within, found))
        await asyncio.sleep(every)


def _complaint(condition: Callable[[], object], within: float, found: object) -> str:
    try:
        text = inspect.getsource(condition).strip()
    except (OSError, TypeError):
        text = repr(condition)
    return f"not within {within:g} s (last answer {found!r}): {text}"
