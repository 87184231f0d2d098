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
from typing import cast

from taskfleet_worker.errors import ChildDiedError
from taskfleet_worker.rules.conclusions import Conclusion
from taskfleet_worker.runtime.child import LENGTH, Hello, Request, framed
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

    async def ask(self, frame: bytes) -> Sequence[Conclusion]:
        """Have a call done; raises ChildDiedError if the child does not live to answer."""
        try:
            self._writer.write(frame)
            await self._writer.drain()
            (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            content = await self._reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise ChildDiedError(_end_of(await self._process.wait())) from error
        return cast("Sequence[Conclusion]", pickle.loads(content))  # noqa: S301 - our own child wrote it

    async def kill(self) -> None:
        """End it now."""
        self._writer.close()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def close(self) -> None:
        """Hang up, and wait until it is gone."""
        self._writer.close()
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            await self.kill()


class Children:
    """Child processes, as many as calls have run at once; they are kept for later calls."""

    def __init__(self) -> None:
        self._idle: list[Child] = []

    async def call(self, request: Request) -> Sequence[Conclusion]:
        """Have a call done in a child; cancelled, its child is killed, since nobody can stop a function otherwise.

        Raises ChildDiedError, and what pickle raises for a request that it cannot take.
        """
        frame = framed(request)
        child = await self._take()
        try:
            conclusions = await child.ask(frame)
        except BaseException:
            await child.kill()
            raise
        self._idle.append(child)
        return conclusions

    async def close(self) -> None:
        """Let the children go; those that still work were killed when their calls were cancelled."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(child.close() for child in idle))

    async def _take(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            await child.kill()
        starting = asyncio.ensure_future(start_child())
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # It is on its way: the next call may have it.
            starting.add_done_callback(self._keep)
            raise

    def _keep(self, starting: "asyncio.Future[Child]") -> None:
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
