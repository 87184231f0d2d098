"""expire over a real database, as a person or a cron job calls it."""

import io
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from taskfleet import Producer
from taskfleet.models import NewTask
from tests.support.command_line import CommandLine
from tests.support.waiting import wait_until


@pytest.fixture
def _waiting(database_url: str, monkeypatch: pytest.MonkeyPatch, taskfleet: CommandLine) -> None:
    """Queue media: 30 tasks that are three days old, 4 of them of the group `a`, and 2 new ones."""
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", database_url)
    old = datetime.now(UTC) - timedelta(days=3)
    with Producer(database_url, queue="media") as producer:
        producer.enqueue_many([NewTask(kind="transcode", run_at=old, group="a" if number < 4 else "b") for number in range(30)])
        producer.enqueue_many([NewTask(kind="index") for _ in range(2)])


pytestmark = pytest.mark.usefixtures("_waiting")


@pytest.mark.requirement("A6")
def test_expire_counts_first_and_then_ends_what_waited_too_long(taskfleet: CommandLine) -> None:
    dry = taskfleet("expire", "--queue", "media", "--older-than", "48h", "--dry-run")
    real = taskfleet("expire", "--queue", "media", "--older-than", "48h", "--yes")
    again = taskfleet("expire", "--queue", "media", "--older-than", "48h")

    assert (dry.code, dry.words) == (
        0,
        "QUEUE KIND WHAT OLDER THAN TASKS media transcode waiting 2 d 30 30 would be changed (dry run)",
    )
    assert (real.code, real.words) == (0, "QUEUE KIND WHAT OLDER THAN TASKS media transcode waiting 2 d 30 30 changed")
    assert (again.code, again.out) == (3, "0 changed\n")
    assert len(taskfleet("tasks", "list", "-q", "media", "--state", "failed", "-o", "json").json) == 30


@pytest.mark.requirement("A6")
def test_expire_filters_and_answers_programs(taskfleet: CommandLine) -> None:
    answer = taskfleet("expire", "--group", "a", "--kind", "transcode", "--older-than", "1d", "-o", "json").json
    names = taskfleet("expire", "-q", "media", "-o", "name").out

    (done,) = answer["done"]
    assert (answer["total"], answer["dry_run"], done["count"], done["limit_seconds"]) == (4, False, 4, 86_400)
    assert names == "media/transcode\n"


def test_expire_says_what_it_left_alone(taskfleet: CommandLine, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    connection.execute("UPDATE taskfleet.queues SET held = true")

    answer = taskfleet("expire", "--all")

    assert answer.code == 3
    assert "media transcode held, paused or just resumed: its time stands still" in answer.words


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("expire",), 1, "expire would touch every queue of the database: name a queue, a kind or a group, or say --all"),
        (("expire", "-q", "medai"), 1, "there is no queue 'medai': did you mean 'media'?"),
        (("expire", "--older-than", "soon"), 2, "'soon' is no span of time: write 90s, 15m, 48h or 7d"),
        (("expire", "--older-than", "0s"), 2, "'0s' is no span of time"),
    ],
)
def test_expire_refuses_what_it_cannot_do(taskfleet: CommandLine, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    answer = taskfleet(*arguments)

    assert (answer.code, answer.out) == (code, "")
    assert sentence in answer.err


@pytest.mark.requirement("A6", "D6")
def test_expire_killed_in_the_middle_is_audited_to_the_task_and_goes_on(
    taskfleet: CommandLine, database_url: str, connection: "psycopg.Connection[tuple[int]]"
) -> None:
    audited = "SELECT coalesce(sum((detail ->> 'count')::integer), 0)::integer FROM taskfleet.audit_log WHERE outcome = 'failed'"
    command = [sys.executable, "-m", "taskfleet_ops", "expire", "--queue", "media", "--batch", "1"]

    with subprocess.Popen(command, env=os.environ | {"TASKFLEET_DATABASE_URL": database_url}, stdin=subprocess.DEVNULL) as process:
        wait_until(lambda: connection.execute(audited).fetchone() != (0,))
        process.send_signal(signal.SIGKILL)
    rest = taskfleet("expire", "--queue", "media", "-o", "json")

    assert 0 < rest.json["total"] < 30
    assert connection.execute("SELECT count(*)::integer FROM taskfleet.dead_letters").fetchone() == (30,)
    assert connection.execute(audited).fetchone() == (30,)


@pytest.mark.requirement("D4")
def test_cleanup_goes_by_policy_and_by_flag(taskfleet: CommandLine) -> None:
    dry = taskfleet("cleanup", "--dry-run")
    none = taskfleet("cleanup", "--queue", "media", "--pending-timeout", "7d")
    real = taskfleet("cleanup", "-o", "json", "--yes")

    assert (dry.code, dry.words) == (0, "QUEUE KIND WHAT OLDER THAN TASKS media transcode waiting 2 h 30 30 would be changed (dry run)")
    assert (none.code, none.out) == (3, "0 changed\n")
    assert (real.code, real.json["total"]) == (0, 30)


@pytest.mark.requirement("D4")
def test_cleanup_forces_a_state(taskfleet: CommandLine) -> None:
    answer = taskfleet("cleanup", "--force-status", "cancelled", "--older-than", "1d", "--queue", "media", "-o", "name")

    assert (answer.code, answer.out) == (0, "media/transcode\n")
    assert len(taskfleet("tasks", "list", "-q", "media", "--state", "cancelled", "-o", "json").json) == 30


@pytest.mark.requirement("D4", "D5")
def test_cleanup_shows_only_the_statistics(taskfleet: CommandLine) -> None:
    answer = taskfleet("cleanup", "--stats-only")

    assert answer.code == 0
    assert "32 tasks: scheduled 0.0 %, ready 100.0 %" in answer.words
    assert "media transcode overdue waiting 30" in answer.words


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--force-status", "failed"), 2, "--force-status and --older-than belong together: give both or neither"),
        (("--force-status", "failed", "--older-than", "1d"), 1, "cleanup --force-status would touch every queue of the database"),
        (("--force-status", "ready", "--older-than", "1d"), 2, "'ready' is not one of 'failed', 'cancelled'"),
        (("--queue", "medai"), 1, "there is no queue 'medai': did you mean 'media'?"),
    ],
)
def test_cleanup_refuses_what_it_cannot_do(taskfleet: CommandLine, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    answer = taskfleet("cleanup", *arguments)

    assert (answer.code, answer.out) == (code, "")
    assert sentence in answer.err


class Person(io.StringIO):
    """A terminal with somebody at it who types this."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("command", ["expire", "cleanup"])
def test_person_is_asked_with_the_number_and_may_say_no(taskfleet: CommandLine, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setattr("sys.stdin", Person("n\n"))
    refused = taskfleet(command, "--queue", "media")
    monkeypatch.setattr("sys.stdin", Person("y\n"))
    agreed = taskfleet(command, "--queue", "media", "-o", "name")
    monkeypatch.setattr("sys.stdin", Person(""))
    nothing = taskfleet(command, "--queue", "media")

    assert refused.code == 130
    assert "30" in refused.err + refused.out
    assert (agreed.code, agreed.words) == (0, "media/transcode")
    assert nothing.code == 3
