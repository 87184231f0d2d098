import io
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from taskfleet.migrations import newest_version
from tests.support.command_line import CommandLine


@pytest.fixture(autouse=True)
def _address(empty_database_url: str, monkeypatch: pytest.MonkeyPatch, taskfleet: CommandLine) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", empty_database_url)


@pytest.mark.requirement("C5")
def test_up_applies_everything_once(taskfleet: CommandLine) -> None:
    first, second = taskfleet("migrate", "up"), taskfleet("migrate", "up")

    assert (first.code, first.err) == (0, "")
    assert len(first.out.splitlines()) == newest_version()
    assert first.out.startswith("applied 0001_relations\n")
    assert second.out == "nothing to apply: the schema is up to date\n"


@pytest.mark.requirement("C5")
def test_down_takes_back_and_asks_first(taskfleet: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    taskfleet("migrate", "up")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    refused = taskfleet("migrate", "down", "--to", "1")
    done = taskfleet("migrate", "down", "--to", "1", "--yes")
    again = taskfleet("migrate", "down", "--to", "1", "--yes")

    assert refused.code == 130
    assert "Take schema taskfleet back to version 1?" in refused.err
    assert done.out.startswith("took back ")
    assert len(done.out.splitlines()) == newest_version() - 1
    assert again.out == "nothing to take back: the schema is not above version 1\n"


def test_status_tells_applied_from_pending(taskfleet: CommandLine) -> None:
    taskfleet("migrate", "up", "--to", "1")

    actual = [(row["version"], row["state"]) for row in taskfleet("migrate", "status", "-o", "json").json]

    assert actual[:2] == [(1, "applied"), (2, "pending")]
    assert taskfleet("migrate", "status", "-o", "name").out.splitlines()[0] == "0001_relations"
    assert "VERSION NAME STATE APPLIED 0001 relations applied 20" in taskfleet("migrate", "status").words


def test_roles_are_granted_or_printed(taskfleet: CommandLine, empty_database_url: str) -> None:
    taskfleet("migrate", "up")
    own = f"jobs {empty_database_url.rsplit('_', 2)[1]}"
    names = [argument for role in ("producer", "worker", "operator", "ops") for argument in (f"--{role}", f"{own} {role}")]
    script = taskfleet("migrate", "roles", "--sql", *names)
    done = taskfleet("migrate", "roles", *names)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(script.out.encode())
        made = connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", [f"{own} %"]).fetchall()
        for (name,) in made:
            connection.execute(SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(Identifier(name)))

    assert done.out == f"granted: {own} producer, {own} worker, {own} operator, {own} ops\n"
    assert len(made) == 4


def test_the_printed_script_makes_the_schema(taskfleet: CommandLine, empty_database_url: str) -> None:
    script = taskfleet("migrate", "sql", "--schema", "elsewhere").out
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(script.encode())

    assert taskfleet("migrate", "up", "--schema", "elsewhere").out == "nothing to apply: the schema is up to date\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("migrate", "up", "--to", "999"), "there is no migration 999: this release knows 0 (nothing) to"),
        (("migrate", "up", "--schema", "pg_no"), "schema"),
    ],
)
def test_impossible_wishes_are_refused(taskfleet: CommandLine, arguments: tuple[str, ...], sentence: str) -> None:
    answer = taskfleet(*arguments)

    assert (answer.code, answer.out) == (1, "")
    assert sentence in answer.err


@pytest.mark.requirement("E2")
def test_the_url_may_stand_in_a_file(
    taskfleet: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, empty_database_url: str
) -> None:
    (tmp_path / "uri").write_text(empty_database_url + "\n", encoding="ascii")
    monkeypatch.delenv("TASKFLEET_DATABASE_URL")
    monkeypatch.setenv("TASKFLEET_DATABASE_URL_FILE", str(tmp_path / "uri"))

    assert taskfleet("migrate", "up").code == 0
