from dataclasses import replace
from datetime import UTC, datetime

from taskfleet.measurements import AgeProfile, KindRunning, QueueMeasurement
from taskfleet_worker import Tasks
from taskfleet_worker.check import claim_lines, manner, queue_line
from tests.support.workers import SETTINGS

MEASURED = QueueMeasurement(
    queue="mail",
    measured_at=datetime(2026, 1, 1, tzinfo=UTC),
    ready=[
        AgeProfile(kind="letter", priority=5, counts=[7], ages=[60.0]),
        AgeProfile(kind="letter", priority=1, counts=[2], ages=[5.0]),
        AgeProfile(kind="resize", priority=5, counts=[3], ages=[5.0]),
    ],
    scheduled=4,
    running=[KindRunning(kind="letter", count=2, running_seconds=3.0)],
)


def handlers() -> Tasks:
    tasks = Tasks()

    async def index(pages: list[int]) -> None: ...

    tasks.task("letter")(lambda: None)
    tasks.batch("index", size=100)(index)
    return tasks


def test_it_says_how_each_handler_is_run() -> None:
    assert {kind: manner(handler) for kind, handler in handlers().handlers.items()} == {
        "letter": "in a thread",
        "index": "async, batches of up to 100",
    }


def test_it_says_what_a_worker_would_claim_and_what_waits_for_others() -> None:
    assert claim_lines(SETTINGS, handlers().handlers, MEASURED) == [
        "would claim  up to 2 of 9 ready tasks at once: letter 9",
        "not for it   3 ready tasks of kinds without a handler here: resize 3",
    ]


def test_nothing_is_claimed_while_the_queue_is_paused() -> None:
    paused = replace(MEASURED, ready=MEASURED.ready[:1], paused=True)

    assert queue_line("mail", paused) == "queue        'mail': 0 workers, 2 tasks running, 4 scheduled, paused"
    assert claim_lines(SETTINGS, handlers().handlers, paused) == ["would claim  nothing while the queue is paused; 7 tasks are ready"]


def test_a_queue_that_nobody_has_used_is_no_fault() -> None:
    assert queue_line("mail", None).endswith("is not there yet: the first task, worker or policy makes it")
    assert claim_lines(SETTINGS, handlers().handlers, None) == ["would claim  nothing: no task of these kinds is ready"]
