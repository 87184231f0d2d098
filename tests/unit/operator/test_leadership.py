import asyncio

import pytest

from taskfleet_operator.errors import LeadershipLostError
from taskfleet_operator.leadership import Leadership, LeaseTimes, Step, next_step
from taskfleet_operator.objects import LeaseSeen, ObjectKey
from tests.support.leases import MemoryLeases
from tests.support.waiting import eventually

KEY = ObjectKey(namespace="taskfleet", name="taskfleet-operator")


class Clock:
    """Time that moves when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases() -> MemoryLeases:
    return MemoryLeases()


def operator(leases: MemoryLeases, clock: Clock, identity: str, *, times: LeaseTimes | None = None) -> Leadership:
    return Leadership(leases, key=KEY, identity=identity, times=times, clock=clock)


def lease(holder: str | None) -> LeaseSeen:
    return LeaseSeen(holder=holder, duration_seconds=15, resource_version="1")


@pytest.mark.parametrize(
    ("seen", "led", "unchanged_seconds", "expected"),
    [
        pytest.param(None, False, 0, Step.TAKE, id="a lease that was never made is taken"),
        pytest.param(lease(None), False, 0, Step.TAKE, id="a released lease is taken at once"),
        pytest.param(lease("us"), False, 0, Step.RENEW, id="our own lease is renewed after a restart too"),
        pytest.param(lease("us"), True, 99, Step.RENEW, id="our own lease is renewed however late"),
        pytest.param(lease("them"), False, 14.9, Step.WAIT, id="another's lease is left alone while it may be alive"),
        pytest.param(lease("them"), False, 15, Step.TAKE, id="a lease not renewed for its duration is taken"),
        pytest.param(lease("them"), True, 0, Step.YIELD, id="who led and sees another holder ends"),
        pytest.param(lease("them"), True, 99, Step.YIELD, id="who led never takes over from its successor"),
    ],
)
def test_next_step(seen: LeaseSeen | None, led: bool, unchanged_seconds: float, expected: Step) -> None:
    step = next_step(seen, identity="us", led=led, unchanged_seconds=unchanged_seconds)

    assert step is expected


async def test_the_first_operator_leads_and_the_second_waits(leases: MemoryLeases, clock: Clock) -> None:
    first, second = operator(leases, clock, "first"), operator(leases, clock, "second")

    await first.take_part()
    await second.take_part()

    assert (first.leading, second.leading) == (True, False)


async def test_the_second_takes_over_when_the_first_fell_silent_for_the_whole_duration(leases: MemoryLeases, clock: Clock) -> None:
    first, second = operator(leases, clock, "first"), operator(leases, clock, "second")
    await first.take_part()
    await second.take_part()

    clock.now += 14.9
    await second.take_part()
    before = second.leading
    clock.now += 0.1
    await second.take_part()

    assert (before, second.leading) == (False, True)


async def test_the_first_stops_writing_before_the_second_may_start(leases: MemoryLeases, clock: Clock) -> None:
    first = operator(leases, clock, "first")
    await first.take_part()
    leases.reachable = False

    leading = []
    for _ in range(5):
        leading.append(first.leading)
        clock.now += 3
        await first.take_part()

    assert leading == [True, True, True, True, False]


async def test_a_renewal_counts_from_when_it_was_sent(leases: MemoryLeases, clock: Clock) -> None:
    first = operator(leases, clock, "first")
    await first.take_part()

    clock.now += 9
    await first.take_part()
    clock.now += 9

    assert first.leading


async def test_an_outage_that_nobody_used_is_survived(leases: MemoryLeases, clock: Clock) -> None:
    first = operator(leases, clock, "first")
    await first.take_part()
    leases.reachable = False
    clock.now += 60
    await first.take_part()

    leases.reachable = True
    await first.take_part()

    assert first.leading


async def test_who_led_and_finds_another_holder_ends(leases: MemoryLeases, clock: Clock) -> None:
    first, second = operator(leases, clock, "first"), operator(leases, clock, "second")
    await first.take_part()
    await second.take_part()
    clock.now += 15
    await second.take_part()

    with pytest.raises(LeadershipLostError, match="second"):
        await first.take_part()


async def test_a_renewal_somebody_overwrote_ends_leading_at_once(leases: MemoryLeases, clock: Clock) -> None:
    first = operator(leases, clock, "first")
    await first.take_part()
    found = await leases.lease(KEY)
    assert found is not None
    await leases.write_lease(KEY, found)

    await first.take_part()

    assert not first.leading


async def test_a_renewal_whose_answer_was_lost_costs_nothing(leases: MemoryLeases, clock: Clock) -> None:
    first = operator(leases, clock, "first")
    await first.take_part()
    leases.forgets_answers = True
    clock.now += 3
    await first.take_part()
    leases.forgets_answers = False

    clock.now += 3
    await first.take_part()
    clock.now += 9

    assert first.leading


async def test_of_two_that_take_a_free_lease_at_once_one_leads(leases: MemoryLeases, clock: Clock) -> None:
    both = operator(leases, clock, "first"), operator(leases, clock, "second")

    await asyncio.gather(*(each.take_part() for each in both))

    assert sorted(each.leading for each in both) == [False, True]


async def test_a_released_lease_is_taken_without_waiting(leases: MemoryLeases, clock: Clock) -> None:
    first, second = operator(leases, clock, "first"), operator(leases, clock, "second")
    await first.take_part()
    await second.take_part()

    await first.release()
    await second.take_part()

    assert (first.leading, second.leading) == (False, True)


async def test_a_standby_that_stops_leaves_the_lease_alone(leases: MemoryLeases, clock: Clock) -> None:
    first, second = operator(leases, clock, "first"), operator(leases, clock, "second")
    await first.take_part()
    await second.take_part()

    await second.release()

    found = await leases.lease(KEY)
    assert found is not None
    assert found.holder == "first"


async def test_transitions_count_the_changes_of_holder(leases: MemoryLeases, clock: Clock) -> None:
    for name in ("first", "second", "third"):
        candidate = operator(leases, clock, name)
        await candidate.take_part()
        await candidate.take_part()
        await candidate.release()

    found = await leases.lease(KEY)
    assert found is not None
    assert found.transitions == 2


async def test_a_silent_api_server_does_not_hold_up_the_election_loop(leases: MemoryLeases, clock: Clock) -> None:
    quick = LeaseTimes(request=0.01, renew=0.02, write_until=0.03, duration=0.04)
    first = operator(leases, clock, "first", times=quick)
    leases.silent = True

    async with asyncio.timeout(5):
        await first.take_part()

    assert not first.leading


async def test_running_takes_the_lead_and_releases_it_at_the_end(leases: MemoryLeases) -> None:
    quick = LeaseTimes(request=0.01, renew=0.02, write_until=0.5, duration=1)
    first = Leadership(leases, key=KEY, identity="first", times=quick)
    stop = asyncio.Event()
    running = asyncio.create_task(first.run(stop))
    await asyncio.wait_for(first.wait_for_lead(), 5)
    taken = leases.written

    await eventually(lambda: leases.written > taken)
    stop.set()
    await running

    found = await leases.lease(KEY)
    assert found is not None
    assert (found.holder, first.leading) == (None, False)


async def test_silence_grows_until_the_loop_comes_round(leases: MemoryLeases, clock: Clock) -> None:
    first = operator(leases, clock, "first")
    clock.now += 30
    before = first.silent_seconds
    await first.take_part()

    assert (before, first.silent_seconds) == (30, 0)


def test_times_that_do_not_grow_are_refused() -> None:
    with pytest.raises(ValueError, match="must grow"):
        LeaseTimes(request=5, renew=3)
