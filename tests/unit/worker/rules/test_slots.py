import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_worker.rules.slots import Slots


@pytest.mark.requirement("B1")
def test_a_taken_slot_is_free_again_when_its_task_ended() -> None:
    slots = Slots(2)
    slots.take()
    before = slots.free(now=0.0)
    slots.give_back()

    assert (before, slots.free(now=0.0)) == (1, 2)


@pytest.mark.requirement("B6")
def test_a_slot_that_got_an_overload_answer_claims_nothing_until_its_pause_is_over() -> None:
    slots = Slots(2)
    slots.take()
    slots.give_back(pause_until=10.0)

    assert (slots.free(now=9.9), slots.pausing, slots.next_pause_end) == (1, 1, 10.0)
    assert (slots.free(now=10.0), slots.pausing, slots.next_pause_end) == (2, 0, None)


def test_the_pause_that_ends_first_comes_first() -> None:
    slots = Slots(3)
    for until in (30.0, 10.0, 20.0):
        slots.take()
        slots.give_back(pause_until=until)

    assert slots.next_pause_end == 10.0
    assert slots.free(now=25.0) == 2


@given(st.integers(1, 8), st.lists(st.tuples(st.sampled_from(["take", "end", "overload"]), st.floats(0, 10)), max_size=40))
def test_free_taken_and_pausing_slots_never_exceed_all(count: int, steps: list[tuple[str, float]]) -> None:
    slots, now = Slots(count), 0.0
    for step, seconds in steps:
        now += seconds
        if step == "take" and slots.free(now=now):
            slots.take()
        elif step != "take" and slots.taken:
            slots.give_back(pause_until=now + seconds if step == "overload" else None)
        assert slots.free(now=now) + slots.taken + slots.pausing == count
