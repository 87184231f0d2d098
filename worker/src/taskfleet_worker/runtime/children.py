"""Child processes for CPU-bound handlers: one call at a time each, so that one that is killed takes only its own call with it.

Not `concurrent.futures`: its pool breaks as a whole when a child dies, and cannot end a call that nobody wants any more.
"""

import asyncio
import logging
import os
import pickle
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

from taskfleet.models import LeaseNote
from taskfleet_worker.context import Hear, nobody
from taskfleet_worker.errors import ChildDiedError
from taskfleet_worker.rules.conclusions import Conclusion
from taskfleet_worker.runtime.child import LENGTH, TAKEN, Hello, Request, framed
from taskfleet_worker.telemetry.logs import log_setup

_log = logging.getLogger("taskfleet.worker")

GOODBYE_SECONDS = 1.0
"""How long a child that waits for work may take to go."""


class Child:
    """One child process and the line to it."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @property
    def alive(self) -> bool:
        """Whether it can take a call."""
        return self._process.returncode is None and not self._reader.at_eof()

    async def begin(self, frame: bytes) -> bool:
        """Hand over a call; False if the child was gone before it took it."""
        try:
            self._writer.write(frame)
            await self._writer.drain()
            return await self._reader.readexactly(len(TAKEN)) == TAKEN
        except (OSError, asyncio.IncompleteReadError):
            return False

    async def end(self, hear: Hear) -> Sequence[Conclusion]:
        """What came of the call; `hear` takes what its handler says before. Raises ChildDiedError if the child does not live to say so."""
        while isinstance(frame := await self._frame(), LeaseNote):
            hear(frame)
        return cast("Sequence[Conclusion]", frame)

    async def _frame(self) -> object:
        try:
            (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            content = await self._reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise ChildDiedError(await self.last_word()) from error
        return pickle.loads(content)  # noqa: S301 - our own child wrote it

    async def last_word(self) -> str:
        """How it ended, once it has."""
        return _end_of(await self._process.wait())

    async def kill(self) -> None:
        """End it now."""
        self._writer.transport.abort()
        if self._process.returncode is None:
            self._process.kill()
        await self._gone()

    async def close(self) -> None:
        """Hang up, and wait until it is gone."""
        self._writer.close()
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._gone()
        except TimeoutError:
            await self.kill()

    async def _gone(self) -> None:
        await self._process.wait()
        with suppress(OSError):
            await self._writer.wait_closed()


class Children:
    """Child processes, as many as calls have run at once; they are kept for later calls."""

    def __init__(self, hear: Hear = nobody) -> None:
        self._hear = hear
        self._idle: list[Child] = []
        self._unclaimed: set[asyncio.Future[Child]] = set()
        """Children on their way whose call was cancelled meanwhile."""

    async def call(self, request: Request) -> Sequence[Conclusion]:
        """Have a call done in a child; cancelled, its child is killed, since nobody can stop a function otherwise.

        Raises ChildDiedError, and what pickle raises for a request that it cannot take.
        """
        frame = framed(request)
        while self._idle:
            child = self._idle.pop()
            if child.alive and (conclusions := await self._done_by(child, frame)) is not None:
                return conclusions
            # It died while nobody needed it, which is no fault of this call.
            await child.kill()
        child = await self._start()
        conclusions = await self._done_by(child, frame)
        if conclusions is None:
            raise ChildDiedError(await child.last_word())
        return conclusions

    async def close(self) -> None:
        """Let the children go; those that still work were killed when their calls were cancelled."""
        await asyncio.gather(*self._unclaimed, return_exceptions=True)
        idle, self._idle = self._idle, []
        await asyncio.gather(*(child.close() for child in idle))

    async def _done_by(self, child: Child, frame: bytes) -> Sequence[Conclusion] | None:
        """What came of the call; None if the child was gone before it took it."""
        try:
            if not await child.begin(frame):
                return None
            conclusions = await child.end(self._hear)
        except BaseException:
            await child.kill()
            raise
        self._idle.append(child)
        return conclusions

    async def _start(self) -> Child:
        starting = asyncio.ensure_future(start_child())
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # It is on its way: the next call may have it.
            self._unclaimed.add(starting)
            starting.add_done_callback(self._keep)
            raise

    def _keep(self, starting: "asyncio.Future[Child]") -> None:
        self._unclaimed.discard(starting)
        if starting.exception() is None:
            self._idle.append(starting.result())


async def start_child() -> Child:
    """A new child process, greeted."""
    ours, theirs = socket.socketpair()
    with theirs:
        number = theirs.fileno()
        command = [sys.executable, "-m", "taskfleet_worker.runtime.child", str(number), str(os.getpid())]
        process = await asyncio.create_subprocess_exec(*command, pass_fds=[number], stdin=DEVNULL)
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.write(framed(Hello(path=list(sys.path), logs=log_setup())))
    _log.info("child.started", extra={"child_pid": process.pid})
    return Child(process, reader, writer)


def _end_of(code: int) -> str:
    if code >= 0:
        return f"ended by itself with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was ended by {name}" + (", perhaps since memory ran out" if -code == signal.SIGKILL else "")
