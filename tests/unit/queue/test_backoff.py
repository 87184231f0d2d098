from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet.backoff import FLOOR_SECONDS, jittered, pauses

pytestmark = pytest.mark.requirement("E6")


@given(st.integers(1, 50), st.integers())
def test_there_is_a_pause_between_tries_and_none_after_the_last(tries: int, seed: int) -> None:
    assert len(list(pauses(tries, random=Random(seed)))) == tries - 1


@given(st.integers(2, 50), st.integers())
def test_each_pause_is_at_most_its_step_and_the_longest_and_never_below_the_floor(tries: int, seed: int) -> None:
    found = list(pauses(tries, random=Random(seed), first=0.2, longest=5.0))

    assert all(FLOOR_SECONDS <= pause <= min(5.0, 0.2 * 2**number) for number, pause in enumerate(found))


@given(st.floats(0.0, FLOOR_SECONDS), st.integers())
def test_a_step_below_the_floor_is_taken_whole(seconds: float, seed: int) -> None:
    assert jittered(seconds, random=Random(seed)) == seconds


@given(st.floats(5.0, 600.0), st.integers())
def test_the_whole_step_is_used_every_part_of_it_alike(seconds: float, seed: int) -> None:
    random = Random(seed)
    found = [jittered(seconds, random=random) for _ in range(2_000)]
    tenths = [sum(1 for pause in found if seconds * tenth / 10 <= pause < seconds * (tenth + 1) / 10) for tenth in range(10)]

    assert all(100 <= count <= 320 for count in tenths), tenths


def test_five_tries_take_two_to_three_seconds_on_average_and_no_more_than_four_and_a_half() -> None:
    spans = [sum(pauses(5, random=Random(seed))) for seed in range(1000)]

    assert 2.0 < fmean(spans) < 2.6
    assert max(spans) <= 4.5
