import io
from dataclasses import replace

import pytest
from rich.console import Console

from taskfleet.models import DecisionRecord
from taskfleet.words import Outcome
from taskfleet_ops.demo.downstream.answers import AnswerCounts
from taskfleet_ops.demo.glance import Glance, History
from taskfleet_ops.demo.result import DemoResult, GoneTasks, GoodTasks
from taskfleet_ops.demo.show.live import LiveView, panel
from taskfleet_ops.demo.show.plain import PlainView
from taskfleet_ops.demo.show.summary import print_summary
from taskfleet_ops.demo.story import Story

STORY = Story(tasks=2_000)
MESSAGE = "8 workers: 1,200 ready tasks must start within 15 s at 0.03 s each"
DECISION = DecisionRecord(
    queue="episodes",
    replicas=8,
    wanted=8,
    desired=8,
    reason="PanicBacklog",
    message=MESSAGE,
    ready=0,
    running=0,
    oldest_seconds=0,
    ceiling=None,
)


def glance(seconds: float, *, succeeded: int = 0, failed: int = 0, waiting: int = 0, decision: DecisionRecord | None = DECISION) -> Glance:
    outcomes = {(Outcome.SUCCEEDED.value, ""): succeeded, (Outcome.FAILED.value, "TASK_ENTITY_NOT_FOUND"): failed}
    return Glance(
        seconds=seconds,
        waiting=waiting,
        running=16,
        workers=8,
        slots=64,
        oldest_seconds=250_000,
        outcomes=outcomes,
        answers=AnswerCounts(good_answers=succeeded, gone_answers=failed, overload_answers=40),
        decision=decision,
    )


def story_so_far() -> History:
    history = History()
    for moment in (
        glance(2, waiting=2_000),
        glance(8, succeeded=300, failed=260, waiting=1_440),
        glance(12, succeeded=500, failed=460, waiting=1_040),
    ):
        history.add(moment)
    return history


def console(*, width: int = 120) -> Console:
    return Console(file=io.StringIO(), width=width, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def words(console: Console) -> str:
    """What was written, however wide its columns are."""
    return " ".join(written(console).split())


@pytest.mark.requirement("A11")
@pytest.mark.parametrize(
    "piece",
    [
        "queue episodes · 12 s",
        "waiting 1,040",
        "running 16 48.0 % of 2,000 tasks finished",
        "workers 8 of 8 allowed, 64 slots",
        "completed 3,000/min 500 done",
        "failed 2,760/min 460 whose source is gone",
        "oldest wait 12 s of 1 min goal, since the demo began",
        "downstream 1,000 calls 4.0 % refused",
        "█",
        f"PanicBacklog {MESSAGE}",
    ],
)
def test_the_live_view_shows_queue_fleet_rates_and_why(piece: str) -> None:
    screen = console()
    screen.print(panel(story_so_far(), story=STORY))

    assert piece in words(screen)


def test_before_the_first_decision_the_operator_looks_around() -> None:
    screen = console()
    screen.print(panel(History(), story=STORY))

    assert "the operator looks around" in written(screen)


def test_a_decision_that_holds_for_a_while_says_how_long() -> None:
    history = History()
    history.add(replace(glance(40), decision_age_seconds=12.3))
    screen = console()
    screen.print(panel(history, story=STORY))

    assert "at 0.03 s each (for 12 s)" in words(screen)


def test_lines_said_during_the_live_view_stay() -> None:
    screen = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    with LiveView(screen, story=STORY) as view:
        view.say("88,000 tasks [enqueued]")
        view.show(story_so_far())

    assert "88,000 tasks [enqueued]" in written(screen)


def test_the_plain_view_prints_new_reasons_and_figures_now_and_then() -> None:
    screen = console(width=40)
    history = History()
    with PlainView(screen, story=STORY, every_seconds=5) as view:
        for moment in (
            glance(1, waiting=2_000, decision=None),
            glance(2, waiting=2_000),
            glance(4, succeeded=100, waiting=1_900),
            glance(6, succeeded=250, failed=250, waiting=1_500),
        ):
            history.add(moment)
            view.show(history)

    assert written(screen).splitlines() == [
        "     1.0 s  waiting 2,000 · running 16 · workers 8 · completed 0/min · failed 0/min · oldest wait 1.0 s of 1 min",
        f"     2.0 s  PanicBacklog: {MESSAGE}",
        "     6.0 s  waiting 1,500 · running 16 · workers 8 · completed 3,000/min · failed 3,000/min · oldest wait 6.0 s of 1 min",
    ]


RESULT = DemoResult(
    good=GoodTasks(total=1_000, succeeded=1_000, duplicates=0),
    gone=GoneTasks(total=1_000, failed=1_000, max_attempts_used=1, distinct_entities=686),
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


@pytest.mark.requirement("A11")
@pytest.mark.parametrize(
    "piece",
    [
        "tasks done 1,000 of 1,000 whose source exists",
        "failed, TASK_ENTITY_NOT_FOUND 1,000",
        "attempts per task 0.73",
        "tasks killed 0",
        "calls per good task 1.00 1,000 calls",
        "calls for gone sources 700 1,000 tasks, 686 sources",
        "overload answers 100 5.6 % of 1,800 calls",
        "workers 0 → 8 → 0 3 scale actions",
        "pod-seconds 60",
        "time to drain 10 s 12 s in all",
        "waited past the goal 7",
        "peak 100",
    ],
)
def test_the_efficiency_report_has_every_figure(piece: str) -> None:
    screen = console()
    print_summary(screen, RESULT, history=story_so_far(), story=STORY, failed={"TASK_ENTITY_NOT_FOUND": 1_000})

    assert piece in words(screen)


def test_a_report_without_failures_says_so() -> None:
    screen = console()
    print_summary(screen, replace(RESULT, late=0), history=History(), story=STORY, failed={})

    assert "failed 0 lost 0" in words(screen)
