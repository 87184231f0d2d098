from math import ceil, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from taskfleet_operator.scaling.capacity import Capacity
from taskfleet_operator.scaling.demand.deadline import Claims, Supply, freed, need
from taskfleet_operator.scaling.demand.work import Due
from tests.support.scaling import due, slots


def supply(fleet: Capacity, service: dict[str, float] | float, *, startup: float = 15.0) -> Supply:
    times = {"task": float(service)} if isinstance(service, int | float) else service
    return Supply(capacity=fleet, service=times, startup_seconds=startup)


@pytest.mark.parametrize(
    ("waiting", "slack", "fleet", "service", "expected"),
    [
        pytest.param(100, 60, slots(), 10, 100 / (1 + 45 / 10), id="from nothing each new slot does one and then 45 s of tasks"),
        pytest.param(100, 60, slots(idle=10), 10, (100 - 10 * 7) / 5.5, id="an idle slot does one and then 60 s of tasks"),
        pytest.param(100, 60, slots(starting=10), 10, (100 - 10 * 6.25) / 5.5, id="a starting slot is half a start-up away"),
        pytest.param(100, 10, slots(starting=10), 10, 100 - 10 * 1.0625, id="a new slot that comes late still does one"),
        pytest.param(100, 60, slots(busy=10), 10, (100 - (60 - sqrt(60))) / 5.5, id="completions count less one standard deviation"),
        pytest.param(20, 84, slots(), 1200, 20 / (1 + (69 / 1200) ** 2), id="long tasks want a slot each"),
        pytest.param(10, 60, slots(idle=10), 10, 0, id="enough is enough"),
    ],
)
def test_need_of_one_kind_is_the_law(waiting: int, slack: float, fleet: Capacity, service: float, expected: float) -> None:
    assert need([due(waiting, slack)], supply(fleet, service)).new_slots == pytest.approx(expected)


def test_the_hardest_deadline_decides() -> None:
    urgent, all_of_it = due(30, 20), due(40, 100)
    found = need([urgent, all_of_it], supply(slots(), 10))

    assert found.due is urgent
    assert found.new_slots == pytest.approx(30 / 1.25)


def test_ten_slots_of_long_tasks_are_no_room_for_a_near_deadline() -> None:
    """Crediting ten slots held by 600 s tasks at the backlog's 0.1 s would starve it."""
    held = supply(slots(busy={"long": 10}), {"long": 600.0, "task": 0.1})

    assert freed(due(1000, 42), held) == 0
    assert need([due(1000, 42)], held).new_slots > 0


def test_pressing_work_hopes_for_less() -> None:
    fleet = supply(slots(busy=9), 10)
    calm, pressing = due(100, 10), due(100, 10, pressing=True)

    assert freed(calm, fleet) == pytest.approx((9 - 3) / 100)
    assert freed(pressing, fleet) == pytest.approx((9 - 6) / 100)


def test_kinds_of_different_length_are_added_up_by_their_own_needs() -> None:
    """Ten tasks of 600 s want ten slots, a thousand of 0.1 s four more; at their mean of 6 s it would be 185."""
    found = need([due({"long": 10, "short": 1000}, 42)], supply(slots(), {"long": 600.0, "short": 0.1}))

    assert ceil(found.new_slots) == 14


def test_a_quota_bounds_the_new_slots_of_its_kind() -> None:
    limited = replace(due({"a": 100, "b": 10}, 30), room={"a": 3})
    found = need([limited], supply(slots(), {"a": 600.0, "b": 600.0}))

    assert found.new_slots == pytest.approx(3 + 10 / (1 + 0.025**2))


def test_the_stale_lane_takes_its_share_from_all_slots() -> None:
    """A fifth of all starts is promised away, so that the fresh lane needs a quarter more slots."""
    alone = need([due(100, 60)], supply(slots(), 10))
    shared = need([due(100, 60)], supply(slots(), 10), Claims(promised_away=0.2, other_tasks=1000))

    assert shared.new_slots == pytest.approx(alone.new_slots / 0.8)


def test_a_short_stale_lane_takes_no_more_than_its_tasks() -> None:
    shared = need([due(100, 60)], supply(slots(idle=10), 10), Claims(promised_away=0.2, other_tasks=2))

    assert shared.new_slots == pytest.approx((100 - (70 - 2)) / 5.5)


def test_nothing_waits_nothing_needed() -> None:
    assert need([], supply(slots(idle=3), 10)).new_slots == 0
    assert need([due(0, 60)], supply(slots(), 10)).new_slots == 0


SERVICE = st.fixed_dictionaries({"a": st.floats(0.01, 1000), "b": st.floats(0.01, 1000)})
COUNTS = st.fixed_dictionaries({"a": st.integers(0, 500), "b": st.integers(0, 500)})
FLEETS = st.builds(
    lambda a, b, idle, starting: slots(busy={"a": a, "b": b}, idle=idle, starting=starting),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
)


def needed(counts: dict[str, float], slack: float, fleet: Capacity, service: dict[str, float], claims: Claims) -> float:
    waiting: Due = due(counts, slack)
    return need([waiting], supply(fleet, service), claims).new_slots


@given(COUNTS, COUNTS, st.floats(18, 3000), FLEETS, SERVICE, st.sampled_from([Claims(), Claims(usable=0.4)]))
def test_more_work_never_needs_fewer_slots(
    counts: dict[str, int], more: dict[str, int], slack: float, fleet: Capacity, service: dict[str, float], claims: Claims
) -> None:
    longer = {kind: float(count + more[kind]) for kind, count in counts.items()}

    assert needed(longer, slack, fleet, service, claims) >= needed(dict(counts), slack, fleet, service, claims) - 1e-6


@given(COUNTS, st.floats(18, 3000), st.floats(0, 1), FLEETS, SERVICE)
def test_less_time_never_needs_fewer_slots(
    counts: dict[str, float], slack: float, sooner: float, fleet: Capacity, service: dict[str, float]
) -> None:
    assert needed(counts, slack * sooner, fleet, service, Claims()) >= needed(counts, slack, fleet, service, Claims()) - 1e-6


@given(COUNTS, st.floats(18, 3000), FLEETS, SERVICE)
def test_the_slots_it_asks_for_satisfy_it(counts: dict[str, float], slack: float, fleet: Capacity, service: dict[str, float]) -> None:
    new = ceil(needed(counts, slack, fleet, service, Claims()))
    grown = replace(fleet, slots=fleet.slots + new, starting=fleet.starting + new)

    assert needed(counts, slack, grown, service, Claims()) == pytest.approx(0, abs=1e-6)
