"""An answer is waited for so long and no longer."""

import asyncio
from contextlib import suppress

import pytest

from taskfleet_worker.runtime.patience import within


async def test_an_answer_in_time_is_the_answer() -> None:
    assert await within(5.0, asyncio.sleep(0, "yes")) == "yes"


async def test_an_error_in_time_is_raised() -> None:
    async def fails() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await within(5.0, fails())


async def test_a_question_that_does_not_heed_its_cancellation_is_left_to_itself() -> None:
    released, ended = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await released.wait()
        ended.set()
        raise OSError("nobody asks any more")

    with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        await within(0.01, stubborn())
    still_there = not ended.is_set()
    released.set()
    await ended.wait()

    assert still_there


async def test_a_question_goes_with_who_asked() -> None:
    stopped = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    asking = asyncio.create_task(within(60.0, waits()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await stopped.wait()

    assert stopped.is_set()
