from random import Random

from hypothesis import given
from hypothesis import strategies as st

from taskfleet.backoff import pauses


@given(st.integers(1, 50), st.integers())
def test_there_is_a_pause_between_tries_and_none_after_the_last(tries: int, seed: int) -> None:
    assert len(list(pauses(tries, random=Random(seed)))) == tries - 1


@given(st.integers(2, 50), st.integers())
def test_each_pause_is_at_least_half_its_step_and_at_most_the_longest(tries: int, seed: int) -> None:
    found = list(pauses(tries, random=Random(seed), first=0.2, longest=5.0))

    assert all(min(5.0, 0.2 * 2**number) / 2 <= pause <= min(5.0, 0.2 * 2**number) for number, pause in enumerate(found))


def test_five_tries_span_between_one_and_a_half_and_three_seconds() -> None:
    spans = [sum(pauses(5, random=Random(seed))) for seed in range(1000)]

    assert min(spans) >= 1.5
    assert max(spans) <= 3.0
