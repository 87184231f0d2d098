from datetime import UTC, datetime, timedelta

import pytest

from taskfleet.models import DecisionRecord
from taskfleet_ops.services.fleet import FleetCost, fleet_cost, most_workers, scale_actions

START = datetime(2026, 3, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def decision(seconds: float | None, replicas: int) -> DecisionRecord:
    return DecisionRecord(
        queue="q",
        decided_at=None if seconds is None else at(seconds),
        replicas=replicas,
        wanted=replicas,
        desired=replicas,
        reason="Steady",
        message="",
        ready=0,
        running=0,
        oldest_seconds=0,
        ceiling=None,
    )


UP_AND_DOWN = [decision(0, 0), decision(10, 8), decision(40, 8), decision(70, 3), decision(80, 0)]


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        pytest.param([], 0, id="no decision"),
        pytest.param([decision(0, 0), decision(30, 0)], 0, id="nothing to do"),
        pytest.param(UP_AND_DOWN, 3, id="up once, down in two steps"),
        pytest.param([decision(0, 5)], 1, id="the first decision already starts workers"),
    ],
)
def test_scale_actions_are_changes_of_the_number_of_workers(decisions: list[DecisionRecord], expected: int) -> None:
    assert scale_actions(decisions) == expected


def test_a_decision_holds_until_the_next_one_and_the_last_until_now() -> None:
    actual = fleet_cost([*UP_AND_DOWN, decision(90, 2)], now=at(100))

    assert actual == FleetCost(since=START, peak_workers=8, pod_seconds=8 * 60 + 3 * 10 + 2 * 10, scale_actions=4)


def test_a_history_that_begins_in_the_middle_starts_no_worker() -> None:
    assert fleet_cost([decision(0, 5), decision(10, 5)], now=at(20)).scale_actions == 0


def test_without_decisions_nothing_is_known() -> None:
    assert fleet_cost([], now=START) == FleetCost(since=None, peak_workers=0, pod_seconds=0, scale_actions=0)


def test_workers_of_a_minute_are_the_most_at_any_moment_of_it() -> None:
    minutes = [at(-60), at(0), at(60), at(120)]

    assert most_workers([*UP_AND_DOWN, decision(None, 7)], minutes) == [0, 8, 8, 0]
