import subprocess
import sys

import pytest

from tests.support.command_line import CommandLine


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_lists_the_commands(taskfleet: CommandLine, arguments: tuple[str, ...]) -> None:
    answer = taskfleet(*arguments)

    assert (answer.code, answer.err) == (0, "")
    for command in ("demo", "migrate", "tasks", "stats", "trend", "report", "explain"):
        assert f" {command} " in answer.out


@pytest.mark.requirement("E10")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("taks",), "No such command 'taks'. Did you mean 'tasks'"),
        (("tasks", "lst"), "No such command 'lst'. Did you mean 'list'? see `taskfleet tasks --help`"),
        (("tasks",), "Missing command; see `taskfleet tasks --help`"),
        (("tasks", "list", "--limt", "3"), "No such option: --limt (Possible options: --limit); see `taskfleet tasks list --help`"),
        (
            ("tasks", "list", "-o", "tabel"),
            "Invalid value for '--output' / '-o': 'tabel' is not one of 'table', 'wide', 'json', 'yaml', 'name'",
        ),
        (
            ("tasks", "enqueue", "x", "--run-at", "tomorrow"),
            "Invalid value for '--run-at': 'tomorrow' is no moment: write it as 2026-03-01T09:00+01:00",
        ),
        (
            ("tasks", "enqueue", "x", "--run-at", "2026-03-01"),
            "Invalid value for '--run-at': '2026-03-01' does not say its offset from UTC: add Z, or one such as +01:00",
        ),
    ],
)
def test_wrong_usage_is_one_sentence_with_the_way_out(taskfleet: CommandLine, arguments: tuple[str, ...], sentence: str) -> None:
    answer = taskfleet(*arguments)

    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"taskfleet: {sentence}")
    assert answer.err.endswith(" --help`\n")
    assert answer.err.count("\n") == 1


@pytest.mark.requirement("E10")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tasks", "get", "1"), "no database is named: set TASKFLEET_DATABASE_URL"),
        (("tasks", "enqueue", "x", "{episode: 7}"), "the payload '{episode: 7}' is no JSON (Expecting property name"),
        (("tasks", "get", "1", "--database-url", "postgresql://me:secret@127.0.0.1:1/x"), "PostgreSQL at 127.0.0.1:1/x as me gave no"),
        (
            ("demo", "--json", "/no/such/folder/result.json"),
            "--json names /no/such/folder/result.json, but there is no folder /no/such/folder",
        ),
        (("demo", "--open", "/"), "/ is no kept demo: name the folder that `taskfleet demo --keep` printed"),
    ],
)
def test_errors_name_what_is_wrong_and_keep_secrets(taskfleet: CommandLine, arguments: tuple[str, ...], sentence: str) -> None:
    answer = taskfleet(*arguments)

    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith(f"taskfleet: {sentence}")
    assert "secret" not in answer.err


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from taskfleet_ops.cli.app import run; run(['tasks', 'list', '--help']);"
        "print([name for name in ('psycopg', 'kopf', 'kubernetes', 'yaml', 'asyncio') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.splitlines()[-1] == "[]"


@pytest.mark.parametrize("module", ["taskfleet_ops"])
def test_the_package_runs_as_a_module(module: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, "nonsense"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr.startswith("taskfleet: No such command 'nonsense'")
