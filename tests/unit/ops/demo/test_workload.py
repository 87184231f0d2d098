from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_ops.demo.story import Story
from taskfleet_ops.demo.workload import INDEX, TRANSCODE, Workload

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.requirement("A1")
def test_the_story_is_the_users_own() -> None:
    workload = Workload(Story())
    tasks = list(workload.tasks(now=NOW))
    gone = workload.gone_entities()
    lost = [task.entity for task in tasks if task.entity in gone]
    by_sharing = Counter("shared" if entity and entity.startswith("trailer") else "own" for entity in lost)

    actual = (len(tasks), workload.good, len(lost), by_sharing, len(gone), workload.distinct_gone_entities)

    assert actual == (88_000, 44_000, 44_000, {"shared": 14_667, "own": 29_333}, 29_353, 29_353)


def test_ages_are_spread_over_three_days_oldest_first() -> None:
    ages = [NOW - task.run_at for task in Workload(Story(tasks=1_000)).tasks(now=NOW) if task.run_at]

    assert ages == sorted(ages, reverse=True)
    assert ages[0] == timedelta(days=3)
    assert timedelta(0) < ages[-1] < timedelta(minutes=5)


def test_good_and_gone_alternate_in_both_kinds() -> None:
    workload = Workload(Story(tasks=800))
    gone = workload.gone_entities()

    actual = Counter((task.kind, task.entity in gone) for task in workload.tasks(now=NOW))

    assert actual == {(TRANSCODE, False): 300, (TRANSCODE, True): 300, (INDEX, False): 100, (INDEX, True): 100}


def test_payloads_name_their_source() -> None:
    for task in Workload(Story(tasks=10)).tasks(now=NOW):
        assert isinstance(task.payload, dict)
        assert task.payload["source"] == task.entity


@given(st.integers(1, 500))
def test_any_size_keeps_the_shape(tasks: int) -> None:
    workload = Workload(Story(tasks=tasks))
    gone = workload.gone_entities()
    made = list(workload.tasks(now=NOW))

    assert len(gone) == workload.distinct_gone_entities
    assert sum(task.entity in gone for task in made) == workload.gone
    assert len(made) - workload.gone == workload.good


def test_no_work_is_no_story() -> None:
    with pytest.raises(ValueError, match="tasks is 0: at least 1 is needed"):
        Story(tasks=0)
