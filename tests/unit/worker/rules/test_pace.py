import pytest

from taskfleet.words import Verdict
from taskfleet_worker.rules.pace import GATED_SECONDS, QUICK_SECONDS, WAKE_SPREAD_SECONDS, Pace

MIDDLE = 0.5
"""The jitter that changes nothing."""


def steps(pace: Pace, verdict: Verdict, count: int, *, brought: int = 0) -> list[float]:
    """How long the pace waits after each of `count` claims of 4 in a row."""
    found, now = [], 100.0
    for _ in range(count):
        pace.claimed(verdict, asked=4, brought=brought, now=now, jitter=MIDDLE)
        found.append(round(pace.due_at - now, 6))
        now = pace.due_at
    return found


@pytest.mark.requirement("A10")
def test_a_full_claim_is_followed_at_once() -> None:
    assert steps(Pace(poll_seconds=1.5), Verdict.CLAIMED, 3, brought=4) == [0.0, 0.0, 0.0]


@pytest.mark.requirement("A10")
def test_an_idle_worker_asks_ever_more_slowly_up_to_the_poll_interval() -> None:
    assert steps(Pace(poll_seconds=1.5), Verdict.IDLE, 9) == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 1.5, 1.5]


@pytest.mark.requirement("A10")
def test_work_makes_an_idle_worker_quick_again() -> None:
    pace = Pace(poll_seconds=1.5)
    steps(pace, Verdict.IDLE, 9)

    assert steps(pace, Verdict.CLAIMED, 1, brought=1) == [QUICK_SECONDS]


@pytest.mark.parametrize("verdict", [Verdict.QUOTA, Verdict.RATE, Verdict.CEILING])
def test_where_more_is_not_allowed_the_step_stays_short(verdict: Verdict) -> None:
    assert steps(Pace(poll_seconds=1.5), verdict, 5) == [0.05, 0.1, 0.2, 0.4, GATED_SECONDS]


def test_a_paused_queue_is_asked_at_the_poll_interval() -> None:
    assert steps(Pace(poll_seconds=1.5), Verdict.PAUSED, 2) == [1.5, 1.5]


def test_no_step_is_longer_than_the_poll_interval() -> None:
    assert steps(Pace(poll_seconds=0.01), Verdict.IDLE, 2) == [0.01, 0.01]
    assert steps(Pace(poll_seconds=0.01), Verdict.CEILING, 2) == [0.01, 0.01]


@pytest.mark.requirement("A10")
def test_a_wake_up_is_followed_within_milliseconds() -> None:
    pace = Pace(poll_seconds=1.5)
    pace.claimed(Verdict.IDLE, asked=1, brought=0, now=50.0, jitter=1.0)
    pace.woken(now=50.001, jitter=1.0)

    assert pace.due_at == 50.001 + WAKE_SPREAD_SECONDS


def test_a_wake_up_never_delays_what_was_due() -> None:
    pace = Pace(poll_seconds=1.5)
    pace.claimed(Verdict.CLAIMED, asked=1, brought=1, now=50.0, jitter=1.0)
    pace.woken(now=60.0, jitter=1.0)

    assert pace.due_at == 50.0


def test_jitter_spreads_a_step_by_a_fifth_either_way() -> None:
    early, late = Pace(poll_seconds=1.0), Pace(poll_seconds=1.0)
    early.claimed(Verdict.PAUSED, asked=1, brought=0, now=0.0, jitter=0.0)
    late.claimed(Verdict.PAUSED, asked=1, brought=0, now=0.0, jitter=1.0)

    assert [early.due_at, late.due_at] == pytest.approx([0.8, 1.2])


def test_half_of_the_woken_ask_at_once_and_the_others_soon_after() -> None:
    def seconds(jitter: float) -> float:
        pace = Pace(poll_seconds=1.5)
        pace.claimed(Verdict.IDLE, asked=1, brought=0, now=0.0, jitter=0.5)
        pace.woken(now=0.0, jitter=jitter)
        return pace.due_at

    assert [seconds(jitter) for jitter in (0.0, 0.5, 0.75, 1.0)] == [0.0, 0.0, WAKE_SPREAD_SECONDS / 2, WAKE_SPREAD_SECONDS]
