"""`check`, and workers that go by themselves, as commands over a real database."""

from pathlib import Path

import pytest

import taskfleet
from taskfleet_worker.cli import main

MODULE = """
from taskfleet_worker import Tasks

tasks = Tasks()


@tasks.batch("index", size=100)
async def index(pages: list[int]) -> list[object]:
    return [ValueError("no such page") if page == 3 else page for page in pages]
"""


@pytest.fixture(autouse=True)
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    (tmp_path / "job_handlers.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", database_url)
    monkeypatch.setenv("TASKFLEET_CONNECT_TRIES", "1")
    monkeypatch.setenv("TASKFLEET_CONCURRENCY", "10")
    monkeypatch.setattr("taskfleet_worker.cli._configure_logging", lambda _settings: None)


def enqueue(url: str, count: int) -> list[int]:
    with taskfleet.Producer(url) as producer:
        return [producer.enqueue("index", page, max_attempts=1).task_id for page in range(count)]


def states(url: str, ids: list[int]) -> list[str]:
    with taskfleet.Producer(url) as producer:
        return [producer.get_task(task_id).state for task_id in ids]


def test_until_empty_does_everything_and_exits(database_url: str) -> None:
    ids = enqueue(database_url, 25)

    assert main(["run", "--tasks", "job_handlers", "--until-empty"]) == 0
    assert states(database_url, ids) == ["failed" if page == 3 else "succeeded" for page in range(25)]


def test_once_does_one_claim_and_exits(database_url: str) -> None:
    ids = enqueue(database_url, 25)

    assert main(["run", "--tasks", "job_handlers", "--once"]) == 0
    assert states(database_url, ids).count("ready") == 15


def test_check_says_what_a_worker_would_do_and_changes_nothing(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    first = main(["check", "--tasks", "job_handlers"])
    before = capsys.readouterr().out
    ids = enqueue(database_url, 12)
    second = main(["check", "--tasks", "job_handlers"])

    said = capsys.readouterr().out.splitlines()
    assert (first, second) == (0, 0)
    assert "would claim  nothing" in before
    assert said[:3] == [
        "handlers     1 from job_handlers",
        "             index: async, batches of up to 100",
        "database     answers, schema 'taskfleet' is as this release needs it",
    ]
    assert said[-1] == "would claim  up to 10 of 12 ready tasks at once: index 12"
    assert set(states(database_url, ids)) == {"ready"}


@pytest.mark.requirement("E10")
@pytest.mark.parametrize(
    ("tasks", "url", "code"),
    [("job_handler", None, 2), ("job_handlers", "postgresql://shop@127.0.0.1:9/orders", 3)],
    ids=["wrong module", "no database"],
)
def test_check_fails_as_a_worker_would(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tasks: str, url: str | None, code: int
) -> None:
    if url is not None:
        monkeypatch.setenv("TASKFLEET_DATABASE_URL", url)

    assert main(["check", "--tasks", tasks]) == code
    assert ("did you mean job_handlers?" if url is None else "127.0.0.1:9/orders") in capsys.readouterr().err
