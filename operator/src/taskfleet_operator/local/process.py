"""One worker process: started with its own session and output, told to end, and ended with its operator whatever happens to that."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final
from uuid import uuid4

from taskfleet_operator.errors import WorkerStartError
from taskfleet_operator.local.launch import Launch, found_program
from taskfleet_operator.local.output import Output

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None


class WorkerProcess:
    """A worker of one queue."""

    def __init__(self, launch: Launch, *, name: str, show: Callable[[bytes], object], environment: Mapping[str, str]) -> None:
        """Start it; raises WorkerTemplateError when its program is not there, WorkerStartError when the system refuses it."""
        self.launch, self.name, self.pod = launch, name, str(uuid4())
        self.output = Output(show)
        self.started_at = time.monotonic()
        self.told_at: float | None = None
        """When it was told to end; None: it was not."""
        self.serves = False
        """True once its session was seen: it has imported its handlers and reached its database."""
        everything = launch.inherited(environment, TASKFLEET_WORKER_ID=name, TASKFLEET_POD_UID=self.pod)
        program = found_program(launch.command, path=everything.get("PATH"))
        try:
            self._process = subprocess.Popen(
                launch.command,
                executable=program,
                stdin=subprocess.DEVNULL,
                stdout=self.output.fileno(),
                stderr=self.output.fileno(),
                env=everything,
                cwd=launch.folder,
                # A group of its own: Ctrl-C at the terminal reaches the operator alone, which then lets its workers finish.
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509 - see there
            )
        except OSError as error:
            self.output.close()
            message = f"worker {name} could not be started: {' '.join(launch.command)}: {error.strerror or error}"
            raise WorkerStartError(message) from error

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    @property
    def lived_seconds(self) -> float:
        """Since its start."""
        return time.monotonic() - self.started_at

    @property
    def leaving(self) -> bool:
        """True once it was told to end; that is never taken back."""
        return self.told_at is not None

    def tell_to_end(self) -> None:
        """SIGTERM to the process alone: it finishes what it runs. A second time hastens it."""
        self.told_at = self.told_at or time.monotonic()
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to it and all it started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def bury(self) -> None:
        """After its end: what it started and left behind goes too, as in a container whose first process ended."""
        self.kill()
        self.output.close()


def _die_with(parent: int) -> Callable[[], None] | None:
    """Give what a child does before it becomes the worker: ask for SIGTERM when the operator ends, however it ends.

    Only system calls, no allocation of note, nothing that takes a lock: it runs between fork and exec.
    """
    if _LIBC is None:
        return None

    def ask(prctl: Callable[..., int] = _LIBC.prctl) -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return ask
