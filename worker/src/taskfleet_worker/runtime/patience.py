"""Waiting for an answer for so long and no longer, whatever becomes of the question."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")


async def within(seconds: float, question: Coroutine[Any, Any, Answer]) -> Answer:
    """The answer; raises TimeoutError after `seconds`.

    `asyncio.timeout` would wait until the question has taken note of its cancellation, which on a dead connection may take as long as the
    answer: here it is cancelled and left to itself.
    """
    asking = asyncio.ensure_future(question)
    try:
        await asyncio.wait({asking}, timeout=seconds)
        if asking.done():
            return asking.result()
        raise TimeoutError(f"no answer within {seconds:g} s")
    finally:
        if not asking.done():
            asking.add_done_callback(_forget)
            asking.cancel()


def _forget(asked: "asyncio.Future[Any]") -> None:
    """Nobody wants to know any more, not even of an error."""
    if not asked.cancelled():
        asked.exception()
