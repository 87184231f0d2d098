"""`python -m taskfleet.embedded [--folder FOLDER]`: a local PostgreSQL with the queue's schema, until Ctrl-C.

For trying things out and for development; it prints the line that tells producers and workers where it is.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from taskfleet.embedded.server import EmbeddedServer
from taskfleet.errors import TaskfleetError
from taskfleet.migrations import Migrator
from taskfleet.schema_name import DEFAULT_SCHEMA


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 after SIGINT or SIGTERM, 1 when the server could not be started or ended by itself."""
    given = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = EmbeddedServer(given.folder, port=given.port)
    try:
        with server:
            Migrator(server.url, given.schema).up()
            _say(f"export TASKFLEET_DATABASE_URL='{server.url}'")
            _say(f"# PostgreSQL runs in {server.folder}{'' if given.folder else ', which goes with it'}; Ctrl-C ends it")
            while server.running and not stop.wait(0.5):
                pass
            if not stop.is_set():
                sys.stderr.write(f"PostgreSQL ended by itself; see {server.folder / 'log'}\n")
                return 1
    except TaskfleetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m taskfleet.embedded", description="A local PostgreSQL with the queue's schema.")
    parser.add_argument("--folder", type=Path, help="keeps the data between runs; default: a temporary folder that is removed at the end")
    parser.add_argument("--port", type=int, help="default: any free port, a new one each time")
    parser.add_argument("--schema", default=os.environ.get("TASKFLEET_SCHEMA", DEFAULT_SCHEMA), help="default: %(default)s")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
