"""The tree of commands, and what a failure looks like: one sentence on standard error, and an exit code."""

import sys
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from taskfleet.errors import TaskfleetError
from taskfleet_ops.cli import cleanup, dead_letters, demo, figures, maintenance, migrate, schedules, simulate, tasks, upkeep
from taskfleet_ops.cli.exit_codes import ExitCode

app = typer.Typer(
    name="taskfleet",
    help="A durable task queue on PostgreSQL, and the fleet that works on it.",
    epilog="Exit codes: 0 ok, 1 error, 2 usage, 3 nothing changed, 130 interrupted. Errors go to standard error as one sentence.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (demo, migrate, tasks, dead_letters, schedules, figures, simulate, upkeep, cleanup, maintenance):
    part.add_to(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    command = typer.main.get_command(app)
    try:
        code = command.main(args=list(arguments) or ["--help"], prog_name="taskfleet", standalone_mode=False)
    except TyperException as error:
        complain(_usage(error))
        return error.exit_code
    except TaskfleetError as error:
        complain(str(error))
        return ExitCode.ERROR
    except typer.Abort:
        return ExitCode.INTERRUPTED
    return code if isinstance(code, int) else ExitCode.OK


def complain(sentence: str) -> None:
    """Say what went wrong: on one line, unless it quotes somebody's log."""
    sys.stderr.write(f"taskfleet: {sentence.strip()}\n")


def _usage(error: TyperException) -> str:
    message = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    context = getattr(error, "ctx", None)
    if context is None:
        return message
    return f"{message}{'' if message.endswith('?') else ';'} see `{context.command_path} --help`"
