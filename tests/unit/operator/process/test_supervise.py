import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from taskfleet.errors import DatabaseUnreachableError
from taskfleet_operator.errors import ClusterUnreachableError, QueueHeldError
from taskfleet_operator.process.supervise import Pulse, Vitals, supervise


class Failures:
    def __init__(self) -> None:
        self.counted: list[str] = []

    def loop_failed(self, name: str) -> None:
        self.counted.append(name)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def run(work: Callable[[Pulse], Awaitable[None]], *, vitals: Vitals | None = None) -> tuple[list[float], list[str]]:
    """Supervise until the work returns; gives the pauses and the counted failures."""
    pauses: list[float] = []
    failures = Failures()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    await supervise("loop", work, vitals=vitals or Vitals(), limit_seconds=10, failures=failures, random=Random(7), sleep=sleep)
    return pauses, failures.counted


@pytest.mark.requirement("A2")
async def test_loop_that_raises_is_counted_and_started_again_with_growing_pauses() -> None:
    rounds = 0

    async def work(_pulse: Pulse) -> None:
        nonlocal rounds
        rounds += 1
        if rounds <= 8:
            raise RuntimeError("broken")

    pauses, counted = await run(work)

    assert counted == ["loop"] * 8
    assert all(0.05 <= pause <= min(30, 2**n) for n, pause in enumerate(pauses))
    assert max(pauses) <= 30


@pytest.mark.requirement("A2")
async def test_round_that_worked_makes_the_next_pause_short_again() -> None:
    clock, rounds = Clock(), 0
    vitals = Vitals()

    async def work(pulse: Pulse) -> None:
        nonlocal rounds
        rounds += 1
        pulse.clock = clock
        clock.now = 1e9 + rounds
        if rounds == 4:
            pulse.beat()
        if rounds == 5:
            return
        raise RuntimeError("broken")

    pauses, _ = await run(work, vitals=vitals)

    assert pauses[-1] <= 1 < pauses[2]


@pytest.mark.requirement("A2")
async def test_failure_is_logged_with_its_place_unless_it_is_on_purpose(caplog: pytest.LogCaptureFixture) -> None:
    errors: list[Exception] = [RuntimeError("a bug"), QueueHeldError(queue="naps")]

    async def work(_pulse: Pulse) -> None:
        if errors:
            raise errors.pop(0)

    await run(work)

    logged = [(record.error, bool(record.exc_info)) for record in caplog.records]  # type: ignore[attr-defined]
    assert logged[0] == ("a bug", True)
    assert logged[1][0].startswith("another operator scales queue 'naps'")
    assert logged[1][1] is False


@pytest.mark.requirement("A2")
async def test_what_is_away_is_a_warning_and_counted_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    errors: list[Exception] = [ClusterUnreachableError("429: storage is (re)initializing"), DatabaseUnreachableError("away"), OSError()]

    async def work(_pulse: Pulse) -> None:
        if errors:
            raise errors.pop(0)

    _, counted = await run(work)

    assert counted == ["loop"] * 3
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "loop.interrupted"),
        ("WARNING", "loop.interrupted"),
        ("ERROR", "loop.failed"),
    ]


async def test_cancellation_ends_a_loop() -> None:
    async def work(_pulse: Pulse) -> None:
        await asyncio.Event().wait()

    task = asyncio.create_task(supervise("loop", work, vitals=Vitals(), limit_seconds=1, failures=Failures()))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.requirement("A2")
def test_silent_loop_is_stale_by_name() -> None:
    clock, vitals = Clock(), Vitals()
    pulse = vitals.pulse("reconcile", limit_seconds=30)
    pulse.clock = clock
    pulse.beat()
    silence = [5.0]
    vitals.follow("lease", lambda: silence[0], limit_seconds=10)

    before = vitals.stale()
    clock.now, silence[0] = 31.0, 11.0

    assert before == ()
    assert vitals.stale() == (
        "reconcile was last heard of 31 s ago, limit 30 s",
        "lease was last heard of 11 s ago, limit 10 s",
    )


async def test_loop_that_ends_on_purpose_is_missed_by_nobody() -> None:
    vitals = Vitals()

    async def work(pulse: Pulse) -> None:
        pulse.limit_seconds = -1

    await run(work, vitals=vitals)

    assert vitals.stale() == ()
