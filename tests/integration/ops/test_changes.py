"""Changing tasks and administering dead letters on the command line."""

import psycopg
import pytest

from tests.support.command_line import CommandLine


@pytest.fixture(autouse=True)
def _address(database_url: str, monkeypatch: pytest.MonkeyPatch, taskfleet: CommandLine) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", database_url)


def made(taskfleet: CommandLine, kind: str = "mail", *options: str) -> str:
    return taskfleet("tasks", "enqueue", kind, *options, "-o", "name").out.strip()


def state(taskfleet: CommandLine, task_id: str) -> str:
    return str(taskfleet("tasks", "get", task_id, "-o", "json").json["state"])


@pytest.mark.requirement("C3")
def test_tasks_are_cancelled_and_retried_by_id(taskfleet: CommandLine) -> None:
    first, second = made(taskfleet), made(taskfleet)

    cancelled = taskfleet("tasks", "cancel", first, second)
    again = taskfleet("tasks", "cancel", first, "4711", "-o", "json")
    retried = taskfleet("tasks", "retry", first, "-o", "name")

    assert (cancelled.code, cancelled.words) == (
        0,
        f"ID OUTCOME STATE KEY HELD BY {first} cancelled cancelled – {second} cancelled cancelled –",
    )
    assert again.code == 1
    assert [(answer["outcome"], answer["state"]) for answer in again.json] == [("wrong_state", "cancelled"), ("not_found", None)]
    assert (retried.code, retried.out, state(taskfleet, first)) == (0, f"{first}\n", "ready")


@pytest.mark.requirement("C4")
def test_tasks_groups_kinds_and_queues_are_paused_and_resumed(taskfleet: CommandLine) -> None:
    task_id, grouped = made(taskfleet), made(taskfleet, "mail", "--group", "g")

    answers = [
        taskfleet("tasks", "pause", task_id, "-o", "name").out,
        taskfleet("tasks", "pause", "--group", "g").out,
        taskfleet("tasks", "pause", "--group", "g").out,
        taskfleet("tasks", "pause", "--kind", "mail", "-o", "json").json,
        taskfleet("tasks", "pause", "--all").out,
    ]
    paused = state(taskfleet, task_id), state(taskfleet, grouped)
    listed = taskfleet("tasks", "list", "--state", "paused", "-o", "name").out.split()
    back = [
        taskfleet("tasks", "resume", task_id, "-o", "name").out,
        taskfleet("tasks", "resume", "--group", "g").out,
        taskfleet("tasks", "resume", "--kind", "mail").out,
        taskfleet("tasks", "resume", "--all").out,
        taskfleet("tasks", "resume", "--all").out,
    ]

    assert answers == [f"{task_id}\n", "paused\n", "was paused already\n", {"changed": True}, "paused\n"]
    assert (paused, listed) == (("paused", "paused"), [grouped, task_id])
    assert back == [f"{task_id}\n", "resumed\n", "resumed\n", "resumed\n", "was not paused\n"]
    assert (state(taskfleet, task_id), state(taskfleet, grouped)) == ("ready", "ready")


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_what_to_pause_has_to_be_said_once(taskfleet: CommandLine, command: str) -> None:
    nothing, both = taskfleet("tasks", command), taskfleet("tasks", command, "7", "--all")

    assert (nothing.code, both.code) == (2, 2)
    assert "say what: ids of tasks, or one of --group, --kind and --all" in nothing.err


@pytest.mark.requirement("E9")
def test_dead_letters_are_listed_counted_retried_and_purged(taskfleet: CommandLine, connection: psycopg.Connection[object]) -> None:
    ids = [made(taskfleet, "mail", "--group", "g") for _ in range(3)] + [made(taskfleet, "sms")]
    for task_id in ids:
        taskfleet("tasks", "cancel", task_id)

    listed = taskfleet("dead-letters", "list", "-o", "name").out.split()
    older = taskfleet("dead-letters", "list", "--after", ids[2], "--limit", "1", "-o", "name").out.split()
    stats = taskfleet("dead-letters", "stats")
    as_json = taskfleet("dead-letters", "stats", "-o", "json").json
    names = taskfleet("dead-letters", "stats", "-o", "name").out
    retried = taskfleet("dead-letters", "retry", "--kind", "sms", "-o", "name").out.split()
    purged = taskfleet("dead-letters", "purge", "--reason", "cancelled", "--group", "g", "--yes")
    nothing = taskfleet("dead-letters", "purge", "--yes", "-o", "json")

    assert (listed, older) == (ids[::-1], [ids[1]])
    assert "total 4 kind 3 mail kind 1 sms group 3 g code 4 TASK_CANCELLED" in stats.words
    assert (as_json["total"], as_json["by_kind"]) == (4, {"mail": 3, "sms": 1})
    assert names == "TASK_CANCELLED: cancelled while it waited\n"
    assert (retried, purged.out, nothing.json) == ([ids[3]], "3 purged\n", {"purged": 0})
    assert connection.execute("SELECT count(*) FROM taskfleet.tasks").fetchone() == (1,)


@pytest.mark.requirement("E9")
def test_a_purge_asks_first_and_a_page_needs_a_dead_letter(taskfleet: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = made(taskfleet)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: (_ for _ in ()).throw(__import__("typer").Abort()))

    assert taskfleet("dead-letters", "purge").code == 130
    assert "there is no task" in taskfleet("dead-letters", "list", "--after", task_id).err
