"""Recurring tasks on the command line."""

import pytest

from tests.support.command_line import CommandLine


@pytest.fixture(autouse=True)
def _address(database_url: str, monkeypatch: pytest.MonkeyPatch, taskfleet: CommandLine) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", database_url)
    monkeypatch.setenv("TASKFLEET_QUEUE", "shop")


def test_a_schedule_is_stored_replaced_listed_and_deleted(taskfleet: CommandLine) -> None:
    first = taskfleet("schedules", "set", "report", "0 6 1 * *", "report.monthly", '{"page": 1}', "-z", "Europe/Berlin", "-o", "json").json
    taskfleet("schedules", "set", "report", "0 7 * * MON", "report.weekly", "--priority", "2", "--group", "books", "--max-attempts", "4")
    (listed,) = taskfleet("schedules", "list", "-o", "json").json
    table, names = taskfleet("schedules", "list").words, taskfleet("schedules", "list", "-o", "name").out
    deleted, again = taskfleet("schedules", "delete", "report"), taskfleet("schedules", "delete", "report", "-o", "json")

    assert (first[0]["time_zone"], first[0]["task"]["payload"]) == ("Europe/Berlin", {"page": 1})
    assert (listed["cron"], listed["time_zone"], listed["last_at"]) == ("0 7 * * MON", "UTC", None)
    task = listed["task"]
    assert (task["kind"], task["priority"], task["group"], task["max_attempts"]) == ("report.weekly", 2, "books", 4)
    assert table.startswith("NAME CRON TIME ZONE KIND NEXT LAST report 0 7 * * MON UTC report.weekly 20")
    assert names == "report\n"
    assert (deleted.code, deleted.out, again.code, again.json) == (0, "deleted\n", 3, {"deleted": False})
    assert taskfleet("schedules", "delete", "report").out == "there is none of this name\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("never", "0 6 31 2 *", "report"), "is no cron expression"),
        (("odd", "every day", "report"), "is no cron expression"),
        (("far", "0 6 * * *", "report", "-z", "Mars/Olympus"), "time zone 'Mars/Olympus' does not exist"),
        (("broken", "0 6 * * *", "report", "{"), "is no JSON"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(taskfleet: CommandLine, arguments: tuple[str, ...], sentence: str) -> None:
    answer = taskfleet("schedules", "set", *arguments)

    assert (answer.code, answer.out) == (1, "")
    assert sentence in answer.err
    assert taskfleet("schedules", "list", "-o", "json").json == []
