import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_operator.local.restarts import Restarts

CALM = Restarts(first_seconds=1, longest_seconds=60)


def after_crashes(count: int) -> Restarts:
    """Crash after crash, each right after its pause."""
    restarts, now = CALM, 0.0
    for _ in range(count):
        restarts = restarts.after_crash(lived_seconds=0.3, now=now)
        now = restarts.not_before
    return restarts


def test_without_a_crash_all_that_are_missing_are_started() -> None:
    assert CALM.allowed(missing=8, unproven=3, now=0.0) == 8


def test_pauses_double_up_to_the_longest() -> None:
    pauses = [after_crashes(count).not_before - after_crashes(count - 1).not_before for count in range(2, 10)]

    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.requirement("A2")
def test_workers_that_crash_together_are_one_round() -> None:
    restarts = CALM
    for number in range(8):
        restarts = restarts.after_crash(lived_seconds=0.5, now=10 + number / 100)

    assert (restarts.in_a_row, restarts.not_before) == (1, 11.0)


def test_one_goes_ahead_after_a_crash() -> None:
    restarts = after_crashes(1)
    at = restarts.not_before

    assert [restarts.allowed(missing=8, unproven=unproven, now=now) for unproven, now in ((0, at - 0.1), (0, at), (1, at))] == [0, 1, 0]


def test_proof_ends_the_pauses() -> None:
    assert after_crashes(5).after_proof().allowed(missing=8, unproven=8, now=0.0) == 8


def test_worker_that_lived_long_starts_anew_at_the_shortest() -> None:
    restarts = after_crashes(5)
    restarts = restarts.after_crash(lived_seconds=61, now=restarts.not_before)

    assert restarts.in_a_row == 1


@given(st.integers(1, 10_000))
def test_pause_never_exceeds_the_longest(count: int) -> None:
    restarts = Restarts(first_seconds=1, longest_seconds=60, in_a_row=count)

    assert restarts.after_crash(lived_seconds=0, now=0).not_before <= 60
