import sys
from dataclasses import replace

import pytest

from taskfleet_operator.simulation.bound import bins, lower_bound
from tests.unit.operator.simulation.stage import load, task


def test_a_batch_pays_its_work_and_the_starts_of_the_slots_it_needs() -> None:
    """1,000 s of work between 10 and 100 s: 1,000 / 90 slots, each of which started for 10 s."""
    workload = replace(load(*(task(0, 10) for _ in range(100)), goal=90), max_pods=100)

    bound = lower_bound(workload, bin_seconds=5)

    assert bound is not None
    assert bound.pod_seconds == pytest.approx(1000 + 10 * 1000 / 90, rel=0.01)
    assert max(bound.slots) == pytest.approx(1000 / 90, rel=0.01)


def test_slots_of_one_pod_share_its_price() -> None:
    one, four = (lower_bound(load(*(task(0, 10) for _ in range(20)), slots=slots)) for slots in (1, 4))

    assert one is not None
    assert four is not None
    assert four.pod_seconds == pytest.approx(one.pod_seconds / 4)


def test_the_middle_of_a_long_task_lies_where_it_must() -> None:
    """A task of 100 s that starts within 60 s runs from 60 to 100 in any case; 60 s of it may lie elsewhere until 160."""
    work = bins(load(task(0, 100), goal=60), 20.0)

    assert work.fixed[:6] == (0, 0, 0, 20, 20, 0)
    assert work.arrived[0] == 60
    assert (work.due[6], work.due[7]) == (0, 60)


def test_a_long_task_costs_at_least_itself() -> None:
    bound = lower_bound(load(task(0, 100), goal=60))

    assert bound is not None
    assert 100 < bound.pod_seconds <= 110


def test_no_plan_keeps_a_goal_that_the_cap_cannot_serve() -> None:
    assert lower_bound(load(*(task(0, 100) for _ in range(100)), goal=30)) is None


def test_nothing_to_do_costs_nothing() -> None:
    bound = lower_bound(load())

    assert bound is not None
    assert bound.pod_seconds == 0


def test_without_a_solver_there_is_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)

    assert lower_bound(load(task(0, 1))) is None
