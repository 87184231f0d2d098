import io

import pytest
import yaml

from tests.support.command_line import CommandLine


@pytest.fixture(autouse=True)
def _address(database_url: str, monkeypatch: pytest.MonkeyPatch, taskfleet: CommandLine) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", database_url)


@pytest.mark.requirement("B7", "E3")
def test_an_enqueued_task_can_be_looked_at(taskfleet: CommandLine) -> None:
    options = ("--group", "show-1", "--entity", "rec-7", "--key", "k", "--priority", "3", "--max-attempts", "9", "--queue", "media")
    made = taskfleet("tasks", "enqueue", "transcode", '{"episode": 7}', *options, "-o", "name")
    task = taskfleet("tasks", "get", made.out.strip(), "-o", "json").json

    kept = {name: task[name] for name in ("queue", "kind", "state", "payload", "priority", "group", "entity", "max_attempts")}
    assert kept == {
        "queue": "media",
        "kind": "transcode",
        "state": "ready",
        "payload": {"episode": 7},
        "priority": 3,
        "group": "show-1",
        "entity": "rec-7",
        "max_attempts": 9,
    }


def test_people_read_a_page_and_scripts_json_yaml_or_ids(taskfleet: CommandLine) -> None:
    made = taskfleet("tasks", "enqueue", "transcode", '{"episode": 7}')
    task_id = made.out.split()[1]

    assert made.out == f"task {task_id} enqueued\n"
    page = taskfleet("tasks", "get", task_id)
    assert f"task {task_id} queue default kind transcode state ready" in page.words
    assert 'payload {"episode": 7}' in page.words
    assert yaml.safe_load(taskfleet("tasks", "get", task_id, "-o", "yaml").out)["payload"] == {"episode": 7}
    assert taskfleet("tasks", "get", task_id, "-o", "name").out == f"{task_id}\n"


def test_a_key_that_is_taken_gives_the_task_that_has_it(taskfleet: CommandLine) -> None:
    first = taskfleet("tasks", "enqueue", "transcode", "--key", "once", "-o", "json").json
    second = taskfleet("tasks", "enqueue", "transcode", "--key", "once")

    assert first["duplicate"] is False
    assert second.out == f"task {first['task_id']} was there already: an unfinished task has the same key\n"


def test_a_task_may_wait_and_its_payload_come_from_standard_input(taskfleet: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('["from", "a", "pipe"]'))
    task_id = taskfleet("tasks", "enqueue", "transcode", "-", "--run-at", "2036-03-01T09:00+01:00", "-o", "name").out.strip()

    task = taskfleet("tasks", "get", task_id, "-o", "json").json

    assert (task["state"], task["payload"]) == ("scheduled", ["from", "a", "pipe"])


@pytest.mark.requirement("E10")
@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("tasks", "get", "4711"), 1, "taskfleet: there is no task 4711: it never was, or its retention has passed\n"),
        (("tasks", "enqueue", "", "{}"), 1, "kind '' is no name of a kind"),
        (("tasks", "enqueue", "x", "{}", "--delay", "5", "--run-at", "2036-01-01T00:00Z"), 1, "delay"),
        (("tasks", "list", "--queue", "nowhere"), 1, "there is no queue 'nowhere': this database has none yet"),
    ],
)
def test_what_cannot_be_is_one_sentence(taskfleet: CommandLine, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    answer = taskfleet(*arguments)

    assert (answer.code, answer.out) == (code, "")
    assert sentence in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.requirement("E10")
def test_a_database_without_the_schema_says_how_to_get_it(taskfleet: CommandLine, empty_database_url: str) -> None:
    answer = taskfleet("tasks", "enqueue", "x", "--database-url", empty_database_url)

    assert answer.code == 1
    assert "run `taskfleet migrate up`" in answer.err
