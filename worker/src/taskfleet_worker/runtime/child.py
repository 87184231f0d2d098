"""What runs in a child process: CPU-bound handlers, one call at a time, until the worker hangs up.

    python -m taskfleet_worker.runtime.child SOCKET PARENT_PID

Frames go over a socket that nobody else has: eight bytes of length, then a pickle; the child acknowledges each call. It says what the
queue is to be told of it, so that errors are judged, and their stacks written, where they are.
"""

import ctypes
import os
import pickle
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from threading import Lock
from typing import Protocol, cast

from taskfleet.models import ClaimedTask, LeaseNote
from taskfleet_worker.context import Context, Hear, current_context
from taskfleet_worker.registry import Reference
from taskfleet_worker.rules.conclusions import conclude_error, conclude_result
from taskfleet_worker.telemetry.logs import LogSetup, set_up_logging

LENGTH = struct.Struct("!Q")
TAKEN = b"+"
"""Sent before a call is done: a child that dies without it has done nothing of the call."""
PR_SET_PDEATHSIG = 1


class Writable(Protocol):
    """Where frames go."""

    def write(self, content: bytes, /) -> int:
        """Take all of it."""

    def flush(self) -> None:
        """Send it."""


class Readable(Protocol):
    """Where frames come from."""

    def read(self, size: int, /) -> bytes:
        """So many bytes; fewer only at the end."""


@dataclass(frozen=True, kw_only=True)
class Hello:
    """The first frame: where handlers are imported from, and how to log."""

    path: Sequence[str]
    logs: LogSetup | None


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call."""

    handler: Reference
    tasks: Sequence[ClaimedTask]
    is_batch: bool
    arguments: bytes
    """Payload and context, pickled by themselves: what cannot be read is an error of this call, not the end of the child."""
    overload_pause_seconds: float


def main(arguments: Sequence[str]) -> None:
    """Answer calls until the other side hangs up."""
    descriptor, parent = (int(argument) for argument in arguments)
    os.set_inheritable(descriptor, False)
    end_with(parent)
    # Ctrl-C at a terminal reaches every process of the group: the worker decides what becomes of its children.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rwb") as stream:
        hello = cast("Hello", receive(stream))
        sys.path[:] = hello.path
        if hello.logs is not None:
            set_up_logging(hello.logs)
        while (request := receive(stream)) is not None:
            stream.write(TAKEN)
            stream.flush()
            stream.write(answer(cast("Request", request), hear=Line(stream).say))
            stream.flush()


class Line:
    """Carries what a handler says while it runs to the worker, from whatever thread."""

    def __init__(self, stream: Writable) -> None:
        self._stream = stream
        self._lock = Lock()

    def say(self, note: LeaseNote) -> None:
        """Send a note as a frame of its own, ahead of the call's answer."""
        with self._lock:
            self._stream.write(framed(note))
            self._stream.flush()


def end_with(parent: int) -> None:
    """Die with the process that started this one, whatever ends it (Linux; elsewhere at the next look at the socket)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the worker that wanted this process has ended")


def answer(request: Request, *, hear: Hear) -> bytes:
    """The frame that says what came of a call; `hear` takes what its handler says meanwhile."""
    pause = request.overload_pause_seconds
    try:
        result = _call(request, hear)
        frame = framed(conclude_result(request.tasks, result, is_batch=request.is_batch, overload_pause_seconds=pause))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the edge between people's code and ours
        frame = framed(conclude_error(request.tasks, error, overload_pause_seconds=pause))
    sys.stdout.flush()
    return frame


def framed(value: object) -> bytes:
    """A value as a frame; raises what pickle raises for what it cannot take."""
    content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(content)) + content


def receive(stream: Readable) -> object:
    """The next frame's value; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return pickle.loads(stream.read(LENGTH.unpack(head)[0]))  # noqa: S301 - only our parent has the other end


def _call(request: Request, hear: Hear) -> object:
    payload, context = pickle.loads(request.arguments)  # noqa: S301 - only our parent has the other end
    for each in context if request.is_batch else [context]:
        each.hear_with(hear)
    current_context.set(context if isinstance(context, Context) else None)
    function: object = import_module(request.handler.module)
    for name in request.handler.name.split("."):
        function = getattr(function, name)
    if not callable(function):
        raise TypeError(f"{request.handler.module}.{request.handler.name} is no function in the child process")
    return cast("object", function(*(payload, context)[: request.handler.arguments]))


if __name__ == "__main__":
    main(sys.argv[1:])
