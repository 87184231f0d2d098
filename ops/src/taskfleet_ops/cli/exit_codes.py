"""What the shell is told."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NOTHING_CHANGED = 3
    """It did as asked, and there was nothing to do."""
    INTERRUPTED = 130
