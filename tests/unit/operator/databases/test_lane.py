import asyncio

import pytest

from taskfleet_operator.databases.lane import Lane, StillBusyError


async def answer(value: int) -> int:
    return value


async def test_work_is_done_and_answered() -> None:
    assert await Lane[int]().run(lambda: answer(1), within=5) == 1


async def test_what_work_raises_reaches_who_waits() -> None:
    async def broken() -> int:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await Lane[int]().run(broken, within=5)


async def test_slow_work_goes_on_and_the_next_waits_for_it() -> None:
    lane, done, order = Lane[int](), asyncio.Event(), []

    async def slow() -> int:
        await done.wait()
        order.append("slow")
        return 1

    async def quick() -> int:
        order.append("quick")
        return 2

    with pytest.raises(StillBusyError):
        await lane.run(slow, within=0)
    with pytest.raises(StillBusyError):
        await lane.run(quick, within=0)
    busy = lane.busy
    done.set()
    answered = await lane.run(quick, within=5)

    assert (busy, answered, order, lane.busy) == (True, 2, ["slow", "quick"], False)


async def test_failure_that_nobody_waits_for_is_no_warning_and_spoils_nothing() -> None:
    lane, done = Lane[int](), asyncio.Event()

    async def broken() -> int:
        await done.wait()
        raise ValueError("broken")

    with pytest.raises(StillBusyError):
        await lane.run(broken, within=0)
    done.set()

    assert await lane.run(lambda: answer(3), within=5) == 3


async def test_closing_cuts_off_what_runs() -> None:
    lane = Lane[int]()

    async def endless() -> int:
        await asyncio.Event().wait()
        return 0

    with pytest.raises(StillBusyError):
        await lane.run(endless, within=0)
    await lane.close()
    await Lane[int]().close()

    assert not lane.busy
