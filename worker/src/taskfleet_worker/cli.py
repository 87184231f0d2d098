"""The command line `taskfleet-worker`: arguments in, an exit code out, errors as sentences on standard error."""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from taskfleet.errors import DatabaseUnreachableError, SchemaError, SettingsError
from taskfleet_worker.errors import HandlerError, TasksNotFoundError, WorkerStartError
from taskfleet_worker.heap import settle_heap
from taskfleet_worker.rules.errand import Errand
from taskfleet_worker.runtime.worker import Exit
from taskfleet_worker.settings import WorkerSettings, read_settings

EPILOG = """\
Settings come from environment variables: TASKFLEET_DATABASE_URL (or _FILE), TASKFLEET_QUEUE, TASKFLEET_CONCURRENCY and others, and
from a file (--settings); docs/worker.md lists them all.

exit codes: 0 everything finished or given back · 1 could not start · 2 wrong arguments, settings or handlers · 3 database not
reachable or without schema · 4 stopped while the database was away · 128 + n a second signal n hastened the stop
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    given = _parser().parse_args(arguments)
    try:
        settings = _settings(given.tasks, given.settings)
        return _check(settings) if given.command == "check" else _run(_chosen(settings, given))
    except (SettingsError, TasksNotFoundError, HandlerError) as error:
        return _complain(error, Exit.USAGE)
    except (DatabaseUnreachableError, SchemaError) as error:
        return _complain(error, Exit.DATABASE)
    except WorkerStartError as error:
        return _complain(error, Exit.FAILED)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(settings: WorkerSettings) -> int:
    _configure_logging(settings)
    import asyncio

    from taskfleet_worker.loading import load_tasks
    from taskfleet_worker.service import serve

    settle_heap(search=False)
    tasks = load_tasks(str(settings.tasks))
    settle_heap(search=True)
    return asyncio.run(serve(settings, tasks))


def _chosen(settings: WorkerSettings, given: argparse.Namespace) -> WorkerSettings:
    """The settings with the options of `run`."""
    return replace(settings, errand=given.errand, fail_unknown_kinds=given.fail_unknown_kinds or settings.fail_unknown_kinds)


def _check(settings: WorkerSettings) -> int:
    from taskfleet_worker.loading import load_tasks

    tasks = load_tasks(str(settings.tasks))
    from taskfleet_worker.check import check

    sys.stdout.write("".join(f"{line}\n" for line in check(settings, tasks)))
    return Exit.DONE


def _settings(target: str | None, file: Path | None) -> WorkerSettings:
    settings = read_settings(file=file, terminal=sys.stdout.isatty())
    settings = replace(settings, tasks=target or settings.tasks)
    if settings.tasks is None:
        raise SettingsError("nothing says where the handlers are: give --tasks package.module, or set TASKFLEET_TASKS")
    return settings


def _configure_logging(settings: WorkerSettings) -> None:
    from taskfleet_worker.telemetry.logs import configure_logging

    common = {"queue": settings.queue, "worker": settings.worker_id}
    configure_logging(level=settings.telemetry.log_level, form=settings.telemetry.log_format, common=common)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskfleet-worker", description="Runs the handlers of a taskfleet queue.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    run = commands.add_parser(
        "run",
        help="claim tasks and run their handlers until told to stop",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    errand = run.add_mutually_exclusive_group()
    choose: dict[str, Any] = {"dest": "errand", "action": "store_const"}
    errand.add_argument("--once", **choose, const=Errand.ONCE, help="make one claim, do what it brings, and exit")
    errand.add_argument("--until-empty", "--drain", **choose, const=Errand.UNTIL_EMPTY, help="exit when nothing is ready any more")
    run.add_argument("--fail-unknown-kinds", action="store_true", help="claim tasks of kinds without a handler too, and fail them at once")
    run.set_defaults(errand=Errand.ENDLESS)
    check = commands.add_parser("check", help="say whether a worker would start, and what it would claim; changes nothing")
    for command in (run, check):
        command.add_argument(
            "--settings",
            metavar="FILE",
            type=Path,
            help="a TOML file of settings; the environment goes first (default: TASKFLEET_SETTINGS_FILE)",
        )
        command.add_argument(
            "--tasks", metavar="MODULE", help="where the handlers are: package.module, or package.module:name (default: TASKFLEET_TASKS)"
        )
    return parser


def _complain(error: Exception, code: Exit) -> int:
    lines = str(error).splitlines() or [type(error).__name__]
    sys.stderr.write("".join(f"taskfleet-worker: {line}\n" for line in lines))
    return int(code)
