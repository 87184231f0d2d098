"""stats, trend, report and explain over a queue in which things have happened."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from taskfleet import AsyncProducer
from taskfleet.models import Completion, DecisionRecord, Failure, NewSession, NewTask, Release, Settlement
from taskfleet.store import Database, OperatorStore, WorkerStore
from taskfleet.words import ErrorCode
from tests.support.command_line import CommandLine

MESSAGE = "2 workers: 5 ready tasks must start within 61 s at 0.9 s each"
STEPS = ({"name": "demand", "did": "5 ready tasks ask for 2 slots", "slots": 2, "reason": None},)


@pytest.fixture
async def _worked(database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, taskfleet: CommandLine) -> None:
    """Queue media: 8 tasks, of which 2 succeeded, 1 failed, 1 was given back; and 3 decisions."""
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", database_url)
    monkeypatch.setenv("TASKFLEET_QUEUE", "media")
    async with AsyncProducer(database_url, queue="media") as producer:
        await producer.enqueue_many([NewTask(kind="transcode" if number % 2 else "index") for number in range(7)])
        await producer.enqueue("index", delay_seconds=3_600)
    worker, session = WorkerStore(database), uuid4()
    kinds = ("transcode", "index")
    await worker.open_session(NewSession(session_id=session, queue="media", worker="w", slots=4, kinds=kinds, lease_seconds=60))
    tasks = (await worker.claim(session, kinds=kinds, limit=4)).tasks
    failure = Failure(lease=tasks[2].lease, code=ErrorCode.ENTITY_NOT_FOUND, message="gone", missing_entity="rec-7")
    await worker.settle(
        Settlement(
            completions=[Completion(lease=task.lease) for task in tasks[:2]],
            failures=[failure],
            releases=[Release(lease=tasks[3].lease, code=ErrorCode.OVERLOADED)],
        )
    )
    await decided(database)


async def decided(database: Database) -> None:
    operator, now = OperatorStore(database), datetime.now(UTC)
    for seconds_ago, replicas, reason in ((120, 1, "ArrivalRate"), (60, 2, "DeadlineDemand"), (20, 2, "FailureCeiling")):
        record = DecisionRecord(
            queue="media",
            decided_at=now - timedelta(seconds=seconds_ago),
            replicas=replicas,
            wanted=5,
            desired=replicas,
            reason=reason,
            message=MESSAGE,
            ready=5,
            running=0,
            oldest_seconds=61,
            ceiling=8 if reason == "FailureCeiling" else None,
            steps=STEPS,
        )
        await operator.save_decision(record, epoch=None)


pytestmark = pytest.mark.usefixtures("_worked")


@pytest.mark.requirement("D5", "C3")
def test_stats_count_by_kind_and_state_with_shares(taskfleet: CommandLine) -> None:
    page = taskfleet("stats")

    assert page.code == 0
    assert "8 tasks: scheduled 12.5 %, ready 50.0 %, running 0.0 %, succeeded 25.0 %, failed 12.5 %, cancelled 0.0 %" in page.words
    assert "8 created in the last 24 h by kind: media/index 62.5 %, media/transcode 37.5 %" in page.words
    assert "failed, by code CODE TASKS TASK_ENTITY_NOT_FOUND 1" in page.words


def test_stats_as_json_and_names(taskfleet: CommandLine) -> None:
    kinds = {kind["kind"]: kind for kind in taskfleet("stats", "-q", "media", "-o", "json").json["kinds"]}

    assert sum(kind["succeeded"] for kind in kinds.values()) == 2
    assert (kinds["index"]["scheduled"], kinds["index"]["created_last_day"]) == (1, 5)
    assert sorted(taskfleet("stats", "-o", "name").out.split()) == ["media/index", "media/transcode"]


@pytest.mark.requirement("D5")
async def test_what_waits_too_long_needs_attention(taskfleet: CommandLine, database_url: str) -> None:
    async with AsyncProducer(database_url, queue="media") as producer:
        await producer.enqueue("index", run_at=datetime.now(UTC) - timedelta(days=3))

    page = await asyncio.to_thread(taskfleet, "stats")

    assert "needs attention QUEUE KIND WHAT TASKS OLDEST media index overdue waiting 1" in page.words


@pytest.mark.requirement("A11")
def test_trend_shows_workers_and_rates_minute_by_minute(taskfleet: CommandLine) -> None:
    rows = taskfleet("trend", "-o", "json").json
    page = taskfleet("trend", "-o", "wide")

    assert len(rows) == 10
    assert rows[-1]["workers"] == 2
    assert rows[0]["workers"] == 0
    assert sum(row["work"]["succeeded"] for row in rows) == 2
    assert "completed" in page.words
    assert "█ at most 2" in page.words
    assert "TASK_ENTITY_NOT_FOUND 1" in page.words


def test_trend_looks_back_as_far_as_asked(taskfleet: CommandLine) -> None:
    names = taskfleet("trend", "--minutes", "3", "-o", "name").out.splitlines()

    assert len(names) == 3


@pytest.mark.requirement("A11")
def test_report_tells_what_work_brought_and_cost(taskfleet: CommandLine) -> None:
    page = taskfleet("report")
    report = taskfleet("report", "-o", "json").json

    for piece in (
        "queue media enqueued 8 finished 3 failed TASK_ENTITY_NOT_FOUND 1 released TASK_OVERLOADED 1 succeeded 2",
        "attempts per task 1.00",
        "peak workers 2",
        "scale actions 1 since",
    ):
        assert piece in page.words
    assert 175 <= report["fleet"]["pod_seconds"] <= 260
    assert taskfleet("report", "-o", "name").out == "media\n"


@pytest.mark.requirement("K2")
def test_explain_says_why_in_the_operators_words(taskfleet: CommandLine) -> None:
    page = taskfleet("explain", "media")

    for piece in (
        MESSAGE,
        "reason FailureCeiling: A downstream answers that it is overloaded, so fewer tasks run at once until it recovers.",
        "workers 2 now, 2 desired, 5 wanted before ceilings",
        "tasks 5 ready, the oldest for 1 min 1 s; 0 running",
        "ceiling at most 8 tasks may run at once",
        "how it came about demand 5 ready tasks ask for 2 slots",
        "before that DECIDED WORKERS DESIRED WANTED READY CEILING REASON MESSAGE",
    ):
        assert piece in page.words
    assert page.words.index("DeadlineDemand") < page.words.index("ArrivalRate")


def test_explain_for_scripts(taskfleet: CommandLine) -> None:
    explanation = taskfleet("explain", "media", "--history", "1", "-o", "json").json

    assert (explanation["latest"]["reason"], explanation["latest"]["steps"]) == ("FailureCeiling", list(STEPS))
    assert [decision["reason"] for decision in explanation["history"]] == ["DeadlineDemand"]
    assert taskfleet("explain", "media", "-o", "name").out == "FailureCeiling\n"


def test_explain_before_any_decision(taskfleet: CommandLine) -> None:
    taskfleet("tasks", "enqueue", "x", "-q", "fresh")

    assert "no operator has decided about queue fresh yet" in taskfleet("explain", "fresh").out
    assert taskfleet("explain", "fresh", "-o", "name").out == "\n"
    assert "no operator has decided about this queue yet" in taskfleet("report", "-q", "fresh").words


def test_a_misspelt_queue_gets_the_nearest_name(taskfleet: CommandLine) -> None:
    answers = [taskfleet("explain", "medai"), taskfleet("trend", "-q", "medai"), taskfleet("stats", "-q", "medai")]

    for answer in answers:
        assert (answer.code, answer.out) == (1, "")
        assert answer.err == "taskfleet: there is no queue 'medai': did you mean 'media'?\n"


@pytest.mark.requirement("C3")
def test_lists_page_through_one_state(taskfleet: CommandLine) -> None:
    failed = taskfleet("tasks", "list", "--state", "failed", "-o", "json").json
    ready = taskfleet("tasks", "list", "-o", "name").out.split()
    first = taskfleet("tasks", "list", "--limit", "2", "-o", "name").out.split()
    second = taskfleet("tasks", "list", "--limit", "2", "--after", first[-1], "-o", "name").out.split()

    assert [(task["code"], task["message"]) for task in failed] == [("TASK_ENTITY_NOT_FOUND", "gone")]
    assert first + second == ready
    assert "ID KIND STATE ATTEMPTS CREATED CODE MESSAGE" in taskfleet("tasks", "list").words
    assert "RUN AT" in taskfleet("tasks", "list", "-o", "wide").words
    assert {task["kind"] for task in taskfleet("tasks", "list", "--kind", "index", "-o", "json").json} == {"index"}


def test_the_load_that_was_is_written_and_played(taskfleet: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "load.csv"
    written = taskfleet("report", "--trace", str(file))
    lines = file.read_text().splitlines()
    played = taskfleet("simulate", "--trace", str(file), "--controllers", "taskfleet", "--seeds", "1", "-o", "json").json

    assert written.out == f"2 tasks written; `taskfleet simulate --trace {file}` plays them\n"
    assert lines[0] == "arrival,service,kind"
    assert lines == taskfleet("report", "--trace", "-").out.splitlines()
    assert played["tasks"] == 2


def test_a_load_that_cannot_be_written_is_an_error(taskfleet: CommandLine, tmp_path: Path) -> None:
    answer = taskfleet("report", "--trace", str(tmp_path / "missing" / "load.csv"))

    assert (answer.code, "No such file or directory" in answer.err) == (1, True)
