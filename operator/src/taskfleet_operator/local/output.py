"""What workers print: shown as it comes, and its last lines kept for the case that they end."""

import fcntl
import os
import tempfile
from collections.abc import Callable
from typing import Final

KEPT_BYTES: Final = 8_192
KEPT_LINES: Final = 12
CHUNK_BYTES: Final = 262_144
LONGEST_FILE_BYTES: Final = 16_777_216
"""From here on what has been shown is dropped from the file."""


class Output:
    """A nameless file that one worker writes both of its streams to.

    A file and not a pipe: a worker must never wait for an operator that is busy, stopped in a debugger or gone.
    """

    def __init__(self, show: Callable[[bytes], object]) -> None:
        self._show = show
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - lives as long as the worker
        # Appending, so that the worker goes on at the start when the file is emptied.
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        fcntl.fcntl(self._file, fcntl.F_SETFL, flags | os.O_APPEND)
        self._shown = 0
        self._tail = b""

    def fileno(self) -> int:
        """Give the file to the process that is to write it."""
        return self._file.fileno()

    def forward(self) -> None:
        """Show what is new."""
        while chunk := os.pread(self._file.fileno(), CHUNK_BYTES, self._shown):
            self._shown += len(chunk)
            self._tail = (self._tail + chunk)[-KEPT_BYTES:]
            self._show(chunk)
        if self._shown > LONGEST_FILE_BYTES:
            # What is written between the last read and this line is lost to the eye; the worker loses nothing.
            os.ftruncate(self._file.fileno(), 0)
            self._shown = 0

    @property
    def last_lines(self) -> str:
        """The end of what was printed."""
        return "\n".join(self._tail.decode(errors="replace").rstrip().splitlines()[-KEPT_LINES:])

    def close(self) -> None:
        """Show the rest and let the file go."""
        self.forward()
        self._file.close()
