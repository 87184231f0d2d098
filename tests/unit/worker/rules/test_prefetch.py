from hypothesis import given
from hypothesis import strategies as st

from taskfleet_worker.rules.prefetch import Prefetch


def busy(prefetch: Prefetch, *, tasks: int = 20, seconds: float = 0.001, claims: int = 8) -> Prefetch:
    """It has seen tasks of such a length, and claims that brought all they asked for; nothing is limited."""
    prefetch.told(limited=False)
    for _ in range(tasks):
        prefetch.ended(seconds)
    for _ in range(claims):
        prefetch.claimed(filled=True, limited=False)
    return prefetch


def test_nothing_is_claimed_ahead_before_anything_is_known() -> None:
    unknown, unasked = Prefetch(most=8, slots=8), Prefetch(most=8, slots=8)
    unknown.told(limited=False)
    unasked.ended(0.001)
    unasked.claimed(filled=True, limited=False)

    assert (unknown.size, unasked.size) == (0, 0)


def test_it_grows_by_doubling_while_claims_are_filled_and_is_gone_with_the_first_that_is_not() -> None:
    prefetch, sizes = busy(Prefetch(most=8, slots=8), claims=0), []
    for filled in (True, True, True, True, True, False, True):
        prefetch.claimed(filled=filled, limited=False)
        sizes.append(prefetch.size)

    assert sizes == [1, 2, 4, 8, 8, 0, 1]


def test_only_what_starts_within_the_horizon_is_claimed_ahead() -> None:
    quick, slow = busy(Prefetch(most=100, slots=4), seconds=0.005), busy(Prefetch(most=100, slots=4), seconds=0.1)
    turned = busy(Prefetch(most=100, slots=4), seconds=0.005)
    for _ in range(64):
        turned.ended(5.0)

    assert (quick.size, slow.size, turned.size) == (16, 0, 0)


def test_many_tasks_told_together_count_as_many_told_one_by_one() -> None:
    together, singly = busy(Prefetch(most=100, slots=4), seconds=0.005), busy(Prefetch(most=100, slots=4), seconds=0.005)
    together.ended(0.02, 5)
    for _ in range(5):
        singly.ended(0.02)

    assert together.size == singly.size == 7


def test_what_is_limited_is_never_claimed_ahead() -> None:
    by_policy, by_claim = busy(Prefetch(most=8, slots=8)), busy(Prefetch(most=8, slots=8))
    by_policy.told(limited=True)
    by_claim.claimed(filled=True, limited=True)
    at_once = by_claim.size
    by_claim.told(limited=False)

    assert (by_policy.size, at_once, by_claim.size) == (0, 0, 8)


def test_zero_turns_it_off() -> None:
    assert busy(Prefetch(most=0, slots=8)).size == 0


@given(st.integers(0, 50), st.integers(1, 50), st.lists(st.one_of(st.booleans(), st.floats(0.0, 100.0))))
def test_it_never_exceeds_its_most(most: int, slots: int, happenings: list[bool | float]) -> None:
    prefetch = Prefetch(most=most, slots=slots)
    prefetch.told(limited=False)
    for happening in happenings:
        if isinstance(happening, bool):
            prefetch.claimed(filled=happening, limited=False)
        else:
            prefetch.ended(happening)

        assert 0 <= prefetch.size <= most
