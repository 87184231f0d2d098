"""`python -m taskfleet_worker` and the installed command `taskfleet-worker`."""

import sys

from taskfleet_worker.heap import leave_heap_alone


def main() -> None:
    """Run the command and end the process with its exit code."""
    leave_heap_alone()
    from taskfleet_worker.cli import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
