"""Real processes for tests: started with their output in a file, killed at the end of the test whatever happens."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import pytest

from tests.support.waiting import wait_until

PYTHON = sys.executable
COMMANDS = Path(sys.executable).parent
"""Where `taskfleet`, `taskfleet-worker` and `taskfleet-operator` are."""


class RunningProcess:
    """A process of a test, the leader of its own process group; its output (both streams) grows in a file."""

    def __init__(self, command: Sequence[str | Path], *, output: Path, environment: Mapping[str, str], folder: Path | None = None) -> None:
        self.output_path = output
        self.command = [str(part) for part in command]
        with output.open("wb") as stream:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
                cwd=folder,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_group()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def output(self) -> str:
        """Everything it wrote so far."""
        return self.output_path.read_text(encoding="utf-8", errors="replace")

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        self._process.send_signal(number)

    def wait(self, *, within: float = 20.0) -> int:
        """Its exit code; an AssertionError with its output when it does not end in time."""
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.command} did not end within {within:g} s:\n{self.output}") from None

    def wait_for_output(self, text: str, *, within: float = 20.0) -> str:
        """Everything it wrote, once `text` is in it; an AssertionError when it ends or takes too long before."""

        def said() -> bool:
            if text in self.output:
                return True
            assert self.alive, f"{self.command} ended with {self.exit_code} before it said {text!r}:\n{self.output}"
            return False

        try:
            wait_until(said, within=within)
        except AssertionError as error:
            raise AssertionError(f"{self.command} did not say {text!r} ({error}):\n{self.output}") from None
        return self.output

    def kill_group(self) -> None:
        """SIGKILL to it and to what it started in its group; reaped."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


class Processes:
    """Starts processes that end with the test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._count = 0

    def start(
        self, command: Sequence[str | Path], *, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> RunningProcess:
        """Start a program with this process's environment and `environment` on top."""
        self._count += 1
        output = self._folder / f"process-{self._count}.log"
        return self._stack.enter_context(RunningProcess(command, output=output, environment=environment or {}, folder=folder))

    def start_python(self, code: str, *arguments: str, environment: Mapping[str, str] | None = None) -> RunningProcess:
        """Start Python with a piece of code."""
        return self.start([PYTHON, "-c", code, *arguments], environment=environment)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts real processes; all of them are gone after the test."""
    with ExitStack() as stack:
        yield Processes(tmp_path, stack)
