"""The worker's guide works as it is written."""

import re
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg
import pytest

from taskfleet_worker import settings
from taskfleet_worker.environment import Environment
from tests.support.processes import COMMANDS, PYTHON, Processes
from tests.support.waiting import wait_until

GUIDE = Path(__file__).parents[3] / "docs" / "worker.md"
BLOCK = re.compile(r"^```(?P<language>\w+) ?(?P<title>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> Mapping[str, str]:
    """The fenced blocks of a language by their title."""
    return {found["title"]: found["body"] for found in BLOCK.finditer(GUIDE.read_text(encoding="utf-8")) if found["language"] == language}


def command(title: str) -> Sequence[str | Path]:
    """The one command of a shell block, with the programs of this environment."""
    program, *arguments = shlex.split(blocks("sh")[title])
    return [PYTHON if program == "python" else COMMANDS / program, *arguments]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the guide."""
    for name, body in blocks("python").items():
        (tmp_path / name).write_text(body, encoding="utf-8")
    return tmp_path


def test_your_first_worker_does_its_tasks(folder: Path, processes: Processes, database_url: str) -> None:
    environment = {"TASKFLEET_DATABASE_URL": database_url}
    assert processes.start(command(""), environment=environment, folder=folder).wait() == 0
    worker = processes.start(command("until every task is finished"), environment=environment, folder=folder)
    with psycopg.connect(database_url, autocommit=True) as connection:
        sent = "SELECT count(*) FROM taskfleet.succeeded_tasks"
        failed = "SELECT count(*) FROM taskfleet.dead_letters WHERE code = 'TASK_ENTITY_NOT_FOUND'"
        wait_until(lambda: connection.execute(f"SELECT ({sent}), ({failed})").fetchone() == (3, 2))
    worker.send(signal.SIGTERM)

    assert worker.wait() == 0
    assert '"event":"letter.sent"' in worker.output
    assert "['a', 'b']" in worker.output


def test_the_guides_own_tests_pass(folder: Path) -> None:
    """Those without a database, and those with a worker over an embedded PostgreSQL of their own."""
    run = subprocess.run([PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=folder, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout
    assert "4 passed" in run.stdout


@pytest.mark.requirement("E2")
@pytest.mark.requirement("B16")
def test_the_table_of_settings_has_every_variable_the_worker_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Recording(Environment):
        def optional_text(self, name: str) -> str | None:
            asked.append(name)
            return super().optional_text(name)

    monkeypatch.setattr(settings, "Environment", Recording)
    settings.read_settings({"TASKFLEET_DATABASE_URL": "postgresql://nowhere/none"})
    table = GUIDE.read_text(encoding="utf-8").partition("## Settings")[2].partition("## Logs")[0]
    names = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]

    assert {name for cell in names for name in re.findall(r"`(TASKFLEET_[A-Z_]+)`", cell)} == set(asked)
