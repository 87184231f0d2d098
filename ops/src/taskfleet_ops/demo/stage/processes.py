"""Child processes that cannot outlive the demo: asked to stop when it ends, told so by the kernel when it is killed."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from taskfleet.embedded import launcher
from taskfleet_ops.demo.errors import DemoError

_LAUNCHER: Final = Path(launcher.__file__)
_TAIL_LINES: Final = 12


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run as a child."""

    name: str
    """What people call it."""
    module: str
    arguments: Sequence[str]
    log: Path
    """Where its standard error goes, and its standard output unless it announces something."""
    announces: bool = False
    """True: its first line of standard output is waited for by `Child.first_line`."""
    patience_seconds: float = 10.0
    """How long it may take to stop."""

    @property
    def command(self) -> Sequence[str]:
        """The command line: our interpreter, started so that the kernel sends it SIGTERM should this process be killed."""
        launched = (sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), "-1", "-1", str(int(signal.SIGTERM)))
        return (*launched, sys.executable, "-m", self.module, *self.arguments)


class Child:
    """One running child process."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process) -> None:
        self._program = program
        self._process = process

    @property
    def process_id(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process.returncode is None

    def require_running(self) -> None:
        """Raise DemoError with the end of its log when it ended by itself."""
        if not self.running:
            raise self.fault(f"ended with exit code {self._process.returncode}")

    def fault(self, what: str) -> DemoError:
        """The error that says what is wrong with it, with the end of its log."""
        return DemoError(f"the {self._program.name} {what}; the end of its log:\n{self._tail()}")

    async def first_line(self, *, within_seconds: float) -> str:
        """The first line of its standard output. Raises DemoError when it ends or stays silent."""
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), within_seconds)
        except TimeoutError:
            raise self.fault(f"said nothing within {within_seconds:g} s") from None
        if not line:
            await self._process.wait()
            self.require_running()
        return line.decode().strip()

    async def stop(self) -> None:
        """Ask it to stop; end it when it does not in time."""
        if not self.running:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), self._program.patience_seconds)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _tail(self) -> str:
        lines = self._program.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:]) or "(empty)"


@asynccontextmanager
async def child(program: Program) -> AsyncIterator[Child]:
    """Run a program until the block is left.

    It gets a session of its own, so that Ctrl-C reaches the demo alone, which then stops its children in order.
    """
    with program.log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *program.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if program.announces else output,
            stderr=output,
            start_new_session=True,
        )
    running = Child(program, process)
    try:
        yield running
    finally:
        # A task of its own: when the demo is cancelled once more, the child is still asked, and ended.
        await asyncio.shield(asyncio.ensure_future(running.stop()))
