from dataclasses import replace

import pytest

from taskfleet_ops.demo.result import DemoResult, GoneTasks, GoodTasks, broken_promises

GOOD = GoodTasks(total=1_000, succeeded=1_000, duplicates=0)
GONE = GoneTasks(total=1_000, failed=1_000, max_attempts_used=1, distinct_entities=686)
RESULT = DemoResult(
    good=GOOD,
    gone=GONE,
    lost=0,
    killed=0,
    late=7,
    calls_for_good=1_000,
    calls_for_gone=700,
    overload_answers=100,
    peak_workers=8,
    final_workers=0,
    scale_actions=3,
    pod_seconds=60.5,
    seconds=12.25,
)


@pytest.mark.requirement("A1")
def test_a_good_run_breaks_no_promise() -> None:
    assert broken_promises(RESULT, most_leased=64) == []


@pytest.mark.requirement("A1")
@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (replace(RESULT, good=replace(GOOD, succeeded=999)), "999 of 1,000 good tasks succeeded"),
        (replace(RESULT, good=replace(GOOD, duplicates=2)), "2 good tasks had their effect more than once"),
        (replace(RESULT, gone=replace(GONE, failed=3)), "3 of 1,000 gone tasks failed with TASK_ENTITY_NOT_FOUND"),
        (replace(RESULT, gone=replace(GONE, max_attempts_used=2)), "a gone task used 2 attempts: its first answer must end it"),
        (replace(RESULT, lost=1), "1 tasks were lost"),
        (replace(RESULT, killed=4), "4 running tasks were cut off"),
        (replace(RESULT, peak_workers=0), "no worker was ever started"),
        (replace(RESULT, final_workers=1), "1 workers were left at the end"),
        (replace(RESULT, calls_for_good=1_101), "good tasks took 1,101 calls, more than 1.1 for each of 1,000"),
        (replace(RESULT, calls_for_gone=751), "gone sources took 751 calls, more than 686 sources and 64 tasks leased at once explain"),
        (replace(RESULT, overload_answers=190), "190 of 1,890 calls met an overloaded downstream, more than 10 %"),
    ],
)
def test_each_broken_promise_is_named(result: DemoResult, sentence: str) -> None:
    assert broken_promises(result, most_leased=64) == [sentence]


def test_a_story_without_gone_tasks_expects_no_attempts() -> None:
    result = replace(RESULT, gone=GoneTasks(total=0, failed=0, max_attempts_used=0, distinct_entities=0), calls_for_gone=0)

    assert broken_promises(result, most_leased=64) == []


def test_the_json_has_exactly_the_promised_keys() -> None:
    assert RESULT.to_dict() == {
        "good": {"total": 1_000, "succeeded": 1_000, "duplicates": 0},
        "gone": {"total": 1_000, "failed": 1_000, "max_attempts_used": 1, "distinct_entities": 686},
        "lost": 0,
        "killed": 0,
        "late": 7,
        "calls_for_good": 1_000,
        "calls_for_gone": 700,
        "overload_answers": 100,
        "peak_workers": 8,
        "final_workers": 0,
        "scale_actions": 3,
        "pod_seconds": 60.5,
        "seconds": 12.25,
    }
