"""What keeps a worker from starting is told in a sentence that names the thing and the way out."""

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from taskfleet_worker.cli import main

if TYPE_CHECKING:
    from tests.integration.worker.conftest import Fleet

MODULE = "from taskfleet_worker import Tasks\ntasks = Tasks()\ntasks.task('mail')(lambda: None)\n"


@pytest.fixture(autouse=True)
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with handlers, an environment without settings."""
    (tmp_path / "start_handlers.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TASKFLEET_CONNECT_TRIES", "1")
    monkeypatch.setattr("taskfleet_worker.cli._configure_logging", lambda _settings: None)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, url: str | None, **environment: str) -> int:
    if url is not None:
        monkeypatch.setenv("TASKFLEET_DATABASE_URL", url)
    for name, value in environment.items():
        monkeypatch.setenv(f"TASKFLEET_{name}", value)
    return main(["run", *arguments])


@pytest.mark.requirement("E10")
def test_an_unreachable_database(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(monkeypatch, "--tasks", "start_handlers", url="postgresql://shop:hush@127.0.0.1:9/orders")

    said = capsys.readouterr().err
    assert code == 3
    assert "127.0.0.1:9/orders" in said
    assert "hush" not in said


def test_a_database_without_the_schema(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], empty_database_url: str
) -> None:
    code = run(monkeypatch, "--tasks", "start_handlers", url=empty_database_url)

    assert code == 3
    assert "run `taskfleet migrate up`" in capsys.readouterr().err


@pytest.mark.requirement("E10")
def test_an_occupied_port(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database_url: str) -> None:
    with socket.create_server(("", 0)) as other:
        port = other.getsockname()[1]
        code = run(monkeypatch, "--tasks", "start_handlers", url=database_url, HTTP_PORT=str(port))

    said = capsys.readouterr().err
    assert code == 1
    assert f"port {port} " in said
    assert "TASKFLEET_HTTP_PORT" in said


@pytest.mark.requirement("E10")
def test_a_wrong_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(monkeypatch, "--tasks", "start_handler", url="postgresql://nowhere/none")

    assert code == 2
    assert "did you mean start_handlers?" in capsys.readouterr().err


def test_nothing_says_where_the_handlers_are(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(monkeypatch, url="postgresql://nowhere/none")

    assert code == 2
    assert "give --tasks package.module, or set TASKFLEET_TASKS" in capsys.readouterr().err


def test_wrong_settings(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TASKFLEET_DATABASE_URL", raising=False)
    code = run(monkeypatch, url=None, CONCURRENCY="lots")

    said = capsys.readouterr().err
    assert code == 2
    assert said.splitlines()[-1] == "taskfleet-worker: TASKFLEET_CONCURRENCY is 'lots', allowed is a whole number from 1 to 1024"
    assert len(said.splitlines()) == 2


@pytest.mark.requirement("E10")
def test_a_handler_that_cannot_be_registered(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bad_handlers.py").write_text(MODULE + "tasks.task('mail')(lambda: None)\n", encoding="utf-8")
    code = run(monkeypatch, "--tasks", "bad_handlers", url="postgresql://nowhere/none")

    assert code == 2
    assert "kind 'mail' has a handler already" in capsys.readouterr().err


def test_help_names_settings_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", "--help"])

    said = capsys.readouterr().out
    assert left.value.code == 0
    assert "TASKFLEET_DATABASE_URL" in said
    assert "exit codes" in said


@pytest.mark.requirement("E6")
def test_a_database_that_does_not_come_is_given_up_after_bounded_tries(fleet: "Fleet") -> None:
    worker = fleet.launch(DATABASE_URL="postgresql://shop@127.0.0.1:9/orders", CONNECT_TRIES="2")

    assert worker.wait() == 3
    assert worker.output.count("database.unreachable") == 1
