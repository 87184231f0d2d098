"""How the demo may be ended from outside: always the same tidy way."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_PARENT_SECONDS: Final = 0.5


@contextmanager
def tidy_end(*, with_parent: bool = False) -> Iterator[None]:
    """Let SIGTERM and a closed terminal end what runs in the block as Ctrl-C does: by KeyboardInterrupt, which tidies up on its way.

    Ctrl-C works even where a shell started us with SIGINT ignored, as it does for background jobs of scripts; nohup keeps its meaning.
    `with_parent`: the end of the process that started us ends us too, as if it had pressed Ctrl-C.
    """
    hung_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    before = {number: signal.signal(number, _as_ctrl_c) for number in (signal.SIGTERM, *hung_up)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    over = threading.Event()
    if with_parent:
        names = (os.getppid(), threading.get_ident(), over)
        threading.Thread(target=_watch_parent, args=names, name="parent-watch", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _as_ctrl_c(_number: int, _frame: object) -> None:
    signal.raise_signal(signal.SIGINT)


def _watch_parent(parent: int, main: int, over: threading.Event) -> None:
    """An orphan gets another parent."""
    while not over.wait(_PARENT_SECONDS):
        if os.getppid() != parent:
            # To the main thread: only there does it interrupt what it waits for.
            signal.pthread_kill(main, signal.SIGINT)
            return
