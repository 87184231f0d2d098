"""How the demo may be ended from outside: always the same tidy way."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def tidy_end() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end what runs in the block as Ctrl-C does: by KeyboardInterrupt, which tidies up on its way.

    Ctrl-C works even where a shell started us with SIGINT ignored, as it does for background jobs of scripts.
    """
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: _as_ctrl_c, signal.SIGHUP: _as_ctrl_c}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _as_ctrl_c(_number: int, _frame: object) -> None:
    signal.raise_signal(signal.SIGINT)
