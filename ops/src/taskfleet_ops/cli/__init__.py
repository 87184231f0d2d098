"""The command line `taskfleet`: commands turn options into calls of the service layer and answers into text.

What may live here: options, output formats, exit codes. What may not: SQL, decisions, anything that the service layer cannot do too.
Heavy modules are imported inside commands, so that `--help` answers at once.
"""

import logging
import sys


def main() -> None:
    """Entry point of `taskfleet`."""
    from taskfleet_ops.cli.app import run

    # Libraries log what they try again; a person at a terminal wants the one sentence at the end.
    logging.getLogger().addHandler(logging.NullHandler())
    sys.exit(run(sys.argv[1:]))
