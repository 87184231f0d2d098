import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from taskfleet_operator.scaling.limits.overload import Happened, watch
from taskfleet_operator.scaling.memory import Ceiling
from tests.support.scaling import at

ALLOWED = 64.0


class Downstream:
    """A ceiling watched tick by tick."""

    def __init__(self, *, slots: float | None = None, limit: float = 0.05, tick: float = 2.0) -> None:
        self.now = at()
        self.tick = tick
        self.limit = limit
        self.ceiling = Ceiling(slots=slots, since=self.now, changed_at=self.now)

    def see(self, *, good: int = 0, overloaded: int = 0, running: int = 40, useful: float | None = None, ticks: int = 1) -> Ceiling:
        """So much happens in each of some ticks. Unless told, good attempts keep half of the running slots busy."""
        for _ in range(ticks):
            self.now += self.tick
            busy = running * self.tick / 2 if useful is None else useful
            happened = Happened(good=good, overloaded=overloaded, useful_seconds=busy, running=running, seconds=self.tick)
            self.ceiling = watch(self.ceiling, happened, now=self.now, limit_share=self.limit, allowed_slots=ALLOWED)
        return self.ceiling


def test_it_is_unset_until_more_than_five_percent_are_overloaded() -> None:
    assert Downstream().see(good=95, overloaded=5, ticks=30).slots is None
    assert Downstream().see(good=94, overloaded=6, ticks=8).slots is not None


def test_a_window_takes_fifteen_seconds() -> None:
    assert Downstream().see(good=90, overloaded=10, ticks=7).slots is None
    assert Downstream().see(good=90, overloaded=10, ticks=8).slots == 28


def test_more_than_half_overloaded_cuts_at_once_and_to_half() -> None:
    assert Downstream().see(good=8, overloaded=12, useful=0).slots == 20


def test_twenty_outcomes_are_needed() -> None:
    downstream = Downstream()

    assert downstream.see(overloaded=2, ticks=9).slots is None
    assert downstream.see(overloaded=2).slots == 20


def test_it_is_not_cut_below_what_the_downstream_carried() -> None:
    """800 calls a second of 25 ms keep 20 slots busy, whatever else is refused: 19 stay."""
    assert Downstream().see(good=1600, overloaded=100, running=40, useful=40.0, ticks=8).slots == pytest.approx(0.7 * 40)
    assert Downstream().see(good=1600, overloaded=100, running=22, useful=40.0, ticks=8).slots == pytest.approx(19)


def test_a_cut_always_cuts() -> None:
    assert Downstream(slots=20).see(good=90, overloaded=10, running=20, useful=40.0, ticks=8).slots == pytest.approx(19)


def test_a_cut_counts_from_what_runs_if_that_is_less() -> None:
    assert Downstream(slots=60).see(good=90, overloaded=10, running=20, useful=0, ticks=8).slots == pytest.approx(14)


def test_it_never_falls_below_one_slot() -> None:
    downstream = Downstream(slots=1)

    assert downstream.see(overloaded=30, running=1, useful=0, ticks=50).slots == 1


@pytest.mark.parametrize(
    ("slots", "good", "overloaded", "running", "expected"),
    [
        pytest.param(10, 100, 0, 10, 11, id="a quiet window adds a slot"),
        pytest.param(40, 100, 0, 40, 42, id="or five percent"),
        pytest.param(63, 100, 0, 63, 64, id="up to the allowed maximum"),
        pytest.param(10, 100, 0, 8, 11, id="eighty percent used is used"),
        pytest.param(10, 100, 0, 7, 10, id="what is not used is not raised"),
        pytest.param(10, 98, 2, 10, 10, id="between two and five percent it stays"),
    ],
)
def test_quiet_windows_raise_it(slots: float, good: int, overloaded: int, running: int, expected: float) -> None:
    assert Downstream(slots=slots).see(good=good, overloaded=overloaded, running=running, ticks=8).slots == expected


def test_a_ceiling_with_a_fraction_is_used_up_by_the_whole_slots_below_it() -> None:
    """Three tasks are less than 0.8 × 3.85 = 3.08; a fleet once stayed at three for ten minutes."""
    assert Downstream(slots=3.85).see(good=10, running=3, ticks=8).slots == pytest.approx(4.85)


def test_ten_quiet_windows_at_the_allowed_maximum_unset_it() -> None:
    downstream = Downstream(slots=ALLOWED)

    assert downstream.see(good=100, running=64, ticks=9 * 8).slots == ALLOWED
    assert downstream.see(good=100, running=64, ticks=8).slots is None


def test_a_ceiling_that_nobody_tested_for_ten_minutes_is_unset() -> None:
    downstream = Downstream(slots=5)

    assert downstream.see(running=0, ticks=299).slots == 5
    assert downstream.see(running=0).slots is None


def test_it_can_be_switched_off() -> None:
    assert Downstream(limit=0, slots=5).see(overloaded=100, ticks=20).slots is None


def test_the_first_look_only_starts_a_window() -> None:
    happened = Happened(good=0, overloaded=100, useful_seconds=0, running=9, seconds=2)

    assert watch(Ceiling(), happened, now=at(), limit_share=0.05, allowed_slots=9).slots is None


def test_the_same_moment_again_judges_nothing() -> None:
    happened = Happened(good=0, overloaded=100, useful_seconds=0, running=9, seconds=0)
    before = Ceiling(since=at())

    assert watch(before, happened, now=at(), limit_share=0.05, allowed_slots=9).slots is None


def test_it_finds_and_uses_the_capacity_of_a_downstream() -> None:
    """A downstream that carries twenty slots: within five minutes the ceiling stays close to it."""
    downstream = Downstream()
    used = []
    for _ in range(300):
        running = min(64, int(downstream.ceiling.slots or 64))
        carried = min(20, running)
        refused = 80 * (running - carried)
        downstream.see(good=80 * carried, overloaded=refused, running=running, useful=2.0 * carried)
        used.append(carried)

    assert sum(used[30:]) / len(used[30:]) > 0.9 * 20
    assert 17 <= (downstream.ceiling.slots or 0) <= 23


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 64)), max_size=60),
    st.none() | st.floats(1, 64),
)
def test_it_stays_between_one_slot_and_the_allowed_maximum(ticks: list[tuple[int, int, int]], slots: float | None) -> None:
    downstream = Downstream(slots=slots)
    for good, overloaded, running in ticks:
        ceiling = downstream.see(good=good, overloaded=overloaded, running=running)

        assert ceiling.slots is None or 1 <= ceiling.slots <= ALLOWED


def test_the_window_begins_where_the_last_ended() -> None:
    ceiling = Downstream(slots=10).see(good=100, running=10, ticks=8)

    assert replace(ceiling, slots=None, changed_at=None) == Ceiling(since=at(seconds=16))
