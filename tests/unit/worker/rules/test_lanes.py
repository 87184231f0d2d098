import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from taskfleet_worker.rules.lanes import StaleCredit


def offers(*, share: float, claims: int, size: int) -> list[int]:
    """The stale slots offered by each of so many claims that bring `size` tasks."""
    credit, found = StaleCredit(most=64), []
    for _ in range(claims):
        found.append(credit.slots(limit=size))
        credit.claimed(brought=size, stale_slots=found[-1], share=share)
    return found


@pytest.mark.requirement("A7")
def test_a_fifth_of_claims_of_one_is_every_fifth_claim() -> None:
    assert offers(share=0.2, claims=12, size=1) == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]


@pytest.mark.requirement("A7")
def test_a_fifth_of_claims_of_ten_is_two_each() -> None:
    assert offers(share=0.2, claims=4, size=10) == [0, 2, 2, 2]


def test_without_a_share_nothing_is_offered() -> None:
    assert offers(share=0.0, claims=5, size=8) == [0] * 5


def test_credit_does_not_pile_up_beyond_the_slots() -> None:
    credit = StaleCredit(most=4)
    credit.claimed(brought=1000, stale_slots=0, share=1.0)

    assert credit.slots(limit=100) == 4


@example(0.9921875, [1, 8] * 10)  # parts of a slot were cut off when the credit was full
@given(st.floats(0, 1), st.lists(st.integers(1, 8), min_size=20, max_size=200))
def test_offered_slots_follow_the_share_to_within_the_credit(share: float, sizes: list[int]) -> None:
    credit, offered = StaleCredit(most=8), 0
    for size in sizes:
        slots = credit.slots(limit=size)
        offered += slots
        credit.claimed(brought=size, stale_slots=slots, share=share)

    assert offered <= share * sum(sizes) + 1e-6
    assert offered >= share * sum(sizes) - 9 - 1e-6
