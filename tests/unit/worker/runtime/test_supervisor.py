import asyncio

import pytest

from taskfleet.errors import DatabaseUnreachableError
from taskfleet_worker.runtime.supervisor import Beat, Supervisor
from tests.support.waiting import eventually


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def supervisor(clock: Clock | None = None) -> tuple[Supervisor, list[str]]:
    failed: list[str] = []
    return Supervisor(stale_seconds=30.0, failed=failed.append, clock=clock or Clock()), failed


@pytest.mark.requirement("A2")
async def test_a_loop_that_fails_is_counted_and_started_again(caplog: pytest.LogCaptureFixture) -> None:
    watch, failed = supervisor()
    runs = []

    async def loop(beat: Beat) -> None:
        runs.append(1)
        if len(runs) < 3:
            raise ValueError("broken") if len(runs) == 1 else DatabaseUnreachableError("away")
        await asyncio.Event().wait()

    watch.start("claims", loop)
    await eventually(lambda: len(runs) == 3)
    await watch.stop()

    assert failed == ["claims", "claims"]
    assert [bool(record.exc_info) for record in caplog.records if record.message == "loop.failed"] == [True, False]


@pytest.mark.requirement("A2")
async def test_a_silent_loop_is_stale_until_it_beats_again() -> None:
    clock = Clock()
    watch, _ = supervisor(clock)
    go = asyncio.Event()

    async def loop(beat: Beat) -> None:
        await go.wait()
        beat()
        await asyncio.Event().wait()

    watch.start("claims", loop)
    await asyncio.sleep(0)
    clock.now = 30.1
    silent = watch.stale()
    go.set()
    await eventually(lambda: watch.stale() == [])
    await watch.stop()

    assert silent == ["claims"]


@pytest.mark.requirement("A2")
async def test_a_dead_loop_is_stale_for_ever() -> None:
    watch, _ = supervisor()

    async def loop(beat: Beat) -> None:
        raise asyncio.CancelledError

    watch.start("claims", loop)

    await eventually(lambda: watch.stale() == ["claims"])
    await watch.stop()


async def test_a_loop_that_is_done_is_watched_no_more() -> None:
    clock = Clock()
    watch, failed = supervisor(clock)

    async def loop(beat: Beat) -> None:
        beat()

    watch.start("once", loop)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    clock.now = 1000.0

    assert (watch.stale(), failed) == ([], [])
    await watch.stop()


@pytest.mark.requirement("A2")
async def test_one_loop_takes_no_other_down() -> None:
    watch, failed = supervisor()
    beats = []

    async def broken(beat: Beat) -> None:
        raise ValueError

    async def sound(beat: Beat) -> None:
        while True:
            beats.append(1)
            await asyncio.sleep(0)

    watch.start("broken", broken)
    watch.start("sound", sound)
    await eventually(lambda: len(failed) >= 2)
    count = len(beats)
    await eventually(lambda: len(beats) > count)
    await watch.stop()

    assert set(failed) == {"broken"}
