import pytest

from taskfleet_operator.scaling import KindLimits, Lanes, ReadyTasks, Reason
from taskfleet_operator.scaling.capacity import Capacity
from taskfleet_operator.scaling.demand.floor import NOTHING, Arriving
from taskfleet_operator.scaling.demand.want import Want, pods_for, want
from taskfleet_operator.scaling.demand.work import admissible_work
from tests.support.scaling import believed, policy, ready, seen, slots

WAVE = Arriving(load=9.5, keep=12, floor=9.5, rate=1.0)


def wanted(*buckets: tuple[int, float], fleet: Capacity, service: float = 10.0, wave: Arriving = NOTHING, **rules: object) -> Want:
    return wanted_for(*(ready(count, age=age) for count, age in buckets), fleet=fleet, service=service, wave=wave, **rules)


def wanted_for(*waiting: ReadyTasks, fleet: Capacity, service: float = 10.0, wave: Arriving = NOTHING, **rules: object) -> Want:
    asked = policy(**rules)
    estimates = believed({"task": service, "other": service})
    work = admissible_work(seen(ready=waiting), asked, estimates, running=fleet.running, breakers={})
    return want(work, asked, estimates, fleet, wave)


@pytest.mark.parametrize(
    ("buckets", "fleet", "wave", "slots", "reason"),
    [
        pytest.param([], slots(), NOTHING, 0, Reason.STEADY, id="nothing to do wants nobody"),
        pytest.param([(1, 0)], slots(), NOTHING, 1, Reason.DEADLINE_DEMAND, id="one task wants one slot"),
        pytest.param([(100, 0)], slots(), NOTHING, 13, Reason.DEADLINE_DEMAND, id="a hundred tasks want what the law says"),
        pytest.param([], slots(), WAVE, 9.5, Reason.ARRIVAL_RATE, id="arrivals want their floor"),
        pytest.param([], slots(idle=12), WAVE, 12, Reason.STEADY, id="slots beyond the floor are not given up here"),
        pytest.param([], slots(idle=98), Arriving(floor=99, load=99), 98, Reason.STEADY, id="an increase under five percent waits"),
        pytest.param([], slots(idle=90), Arriving(floor=99, load=99), 99, Reason.ARRIVAL_RATE, id="a tenth more does not"),
    ],
)
def test_want(buckets: list[tuple[int, float]], fleet: Capacity, wave: Arriving, slots: float, reason: Reason) -> None:
    found = wanted(*buckets, fleet=fleet, wave=wave)

    assert (found.slots, found.reason) == (slots, reason)


def test_the_minimum_is_warm() -> None:
    found = wanted(fleet=slots(idle=99), min_replicas=50, slots_per_replica=2)

    assert (found.slots, found.reason) == (100, Reason.MIN_REPLICAS)


def test_small_increases_count_when_somebody_waits_too_long() -> None:
    """A slot for one late task among a hundred busy ones is one percent."""
    busy = slots(busy=100)

    assert wanted((1, 80), fleet=busy, service=1e5).slots == 100
    assert wanted((1, 90), fleet=busy, service=1e5).slots == 101


def test_panic_wants_everything() -> None:
    found = wanted((88_000, 0), fleet=slots())

    assert (found.panicking, found.reason) == (True, Reason.PANIC_BACKLOG)


def test_old_tasks_are_measured_by_their_own_goal() -> None:
    """3,000 old one-second tasks would want a hundred slots at T = 120; as a stale lane they want two or three."""
    fresh = wanted((3_000, 1000), fleet=slots(), service=1.0, panic_backlog=10_000, lanes=Lanes(fresh_seconds=1e9))
    stale = wanted((3_000, 1000), fleet=slots(), service=1.0, panic_backlog=10_000)

    assert fresh.slots > 90
    assert stale.slots == 2


def test_both_lanes_together_want_more_than_either() -> None:
    fresh = wanted((500, 0), fleet=slots(), service=1.0)
    both = wanted((500, 0), (3_000, 1000), fleet=slots(), service=1.0, panic_backlog=10_000)

    assert fresh.slots == 8
    assert both.slots == 11


def test_a_small_stale_lane_decides_when_it_needs_more() -> None:
    found = wanted((1, 0), (900, 1000), fleet=slots(idle=1), service=60.0, panic_backlog=10_000)

    assert found.due is not None
    assert found.due.total == 900


@pytest.mark.parametrize(
    ("slots", "per_pod", "expected"),
    [
        pytest.param(0, 4, 0, id="none"),
        pytest.param(1, 4, 1, id="a started pod is a pod"),
        pytest.param(8.0000000001, 4, 2, id="dust is no pod"),
        pytest.param(8.1, 4, 3, id="a bit more is"),
    ],
)
def test_pods_for(slots: float, per_pod: int, expected: int) -> None:
    assert pods_for(slots, per_pod) == expected


def test_a_kind_at_its_quota_does_not_ask_again_for_the_slot_that_starts_for_it() -> None:
    """A kind without a quota lifts the ceiling, so nothing else would stop the second slot."""
    kinds = (KindLimits(kind="task", max_concurrent=6), KindLimits(kind="other"))
    waiting = (ready(4), ready(1, age=901, kind="other"))

    first = wanted_for(*waiting, fleet=slots(busy=5), kinds=kinds, max_wait_seconds=5.0).slots
    again = wanted_for(*waiting, fleet=slots(busy=5, starting=int(first) - 5), kinds=kinds, max_wait_seconds=5.0).slots

    assert again == first


@pytest.mark.parametrize("service", [132.0, 152.0, 176.0, 196.0])
def test_two_lanes_ask_at_once_for_what_they_would_ask_for_at_the_next_look(service: float) -> None:
    """A starting slot counts for each lane by its share only: one formula asks for too few, and then for one more."""
    waiting = (ready(17, age=2470), ready(33))

    first = wanted_for(*waiting, fleet=slots(), service=service, max_wait_seconds=1504.0).slots
    again = wanted_for(*waiting, fleet=slots(starting=int(first)), service=service, max_wait_seconds=1504.0).slots

    assert again == first
