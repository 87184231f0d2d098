"""The command `taskfleet-operator`: reads settings and arguments, and runs the operator in a cluster or on one machine."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from taskfleet.errors import TaskfleetError
from taskfleet_operator.errors import OperatorError
from taskfleet_operator.process.logs import configure_logging
from taskfleet_operator.settings import OperatorSettings, SettingsFile


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 after a clean end, 1 for an error that is told on standard error, 2 for a wrong command line."""
    chosen = _parser().parse_args(arguments)
    try:
        settings = SettingsFile(chosen.settings, tick_seconds=chosen.tick, metrics_port=chosen.metrics_port)
        _log_as(settings.current())
        return asyncio.run(_run(chosen, settings))
    except (OperatorError, TaskfleetError) as error:
        sys.stderr.write(f"taskfleet-operator: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130


async def _run(chosen: argparse.Namespace, settings: SettingsFile) -> int:
    if chosen.local:
        from taskfleet_operator.local.run import LocalOperator

        return await LocalOperator(chosen.local, settings).run()
    from taskfleet_operator.in_cluster.run import run_in_cluster

    return await run_in_cluster(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskfleet-operator", description="Scales the workers of task queues.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="follow TaskQueues until told to end", description="Follow TaskQueues until SIGTERM or SIGINT.")
    run.add_argument(
        "--local",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="run workers as processes of this machine; FILEs hold TaskQueues and Secrets (YAML), and are read again when they change",
    )
    run.add_argument("--tick", type=float, metavar="SECONDS", help="time between two looks at the fleet (2)")
    run.add_argument("--metrics-port", type=int, metavar="PORT", help="serve /livez, /readyz and /metrics here; 0: any free port")
    run.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        default=os.environ.get("TASKFLEET_OPERATOR_SETTINGS"),
        help="YAML file with settings, read again when it changes ($TASKFLEET_OPERATOR_SETTINGS)",
    )
    return parser


def _log_as(settings: OperatorSettings) -> None:
    form = settings.log_format
    if form == "auto":
        form = "text" if sys.stderr.isatty() else "json"
    configure_logging(log_format=form, level=settings.log_level)


if __name__ == "__main__":
    sys.exit(main())
