"""How lines leave the process: each at once, or many together where many things are told of one moment.

Whatever people attach to `logging` gets ordinary records, one by one: only our own stream is written to less often.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import TextIO

PIECE_BYTES = 4_096
"""Of one write: a pipe takes so many whole (PIPE_BUF of Linux), so that no line of a child process breaks into one of ours."""


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes each line at once, unless the thread that logs it holds its lines."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._held: dict[int, list[str]] = {}
        """By thread: what one holds does not keep back what others say."""

    def hold(self) -> bool:
        """Keep the lines of this thread until `let_go`; False if they are kept already."""
        lines: list[str] = []
        return self._held.setdefault(get_ident(), lines) is lines

    def let_go(self) -> None:
        """Write what was held, in few writes."""
        lines = self._held.pop(get_ident())
        self.acquire()
        try:
            for piece in pieces(lines):
                self._write(piece)
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        """Write or hold the line of a record."""
        lines = self._held.get(get_ident())
        if lines is None:
            return super().emit(record)
        try:
            lines.append(self.format(record) + self.terminator)
        except RecursionError:
            raise
        except Exception:  # noqa: BLE001 - as of every handler: what cannot be said must not end the work
            self.handleError(record)
        return None

    def _write(self, lines: Sequence[str]) -> None:
        try:
            self.stream.write("".join(lines))
            self.flush()
        except UnicodeEncodeError:
            if len(lines) == 1:
                return self.handleError(logging.makeLogRecord({"msg": lines[0]}))
            # Nothing was written. The encoding of the stream lacks a character of one of them: the others go out all the same.
            for line in lines:
                self._write([line])
        except Exception:  # noqa: BLE001 - as of every handler
            self.handleError(logging.makeLogRecord({"msg": "".join(lines)}))
        return None


def pieces(lines: Iterable[str]) -> Iterator[Sequence[str]]:
    """The lines in groups of at most PIECE_BYTES; a line that is longer is a group of its own."""
    piece: list[str] = []
    size = 0
    for line in lines:
        # A character takes four bytes at most, and only one in nearly all lines.
        length = len(line) if line.isascii() else 4 * len(line)
        if piece and size + length > PIECE_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(line)
        size += length
    if piece:
        yield piece


@contextmanager
def lines_together() -> Iterator[None]:
    """What this thread logs meanwhile leaves at the end, in few writes; all of it has left then, whatever ended the block."""
    holding = [handler for handler in logging.getLogger().handlers if isinstance(handler, LineHandler) and handler.hold()]
    try:
        yield
    finally:
        for handler in holding:
            handler.let_go()


def log_each(logger: logging.Logger, level: int, event: str, each: Iterable[Mapping[str, object]]) -> None:
    """Do what `logger.log(level, event, extra={"fields": fields})` does, for each of the fields and for a third of the price.

    They are of one moment and one place: what `logging` finds out for every record (caller, time, thread, process) is found out once.
    """
    if not logger.isEnabledFor(level):
        return
    path, line, function, _ = logger.findCaller(stacklevel=2)

    def record_of(fields: Mapping[str, object]) -> logging.LogRecord:
        return logger.makeRecord(logger.name, level, path, line, event, (), None, function, {"fields": fields})

    # Who makes records in a way of their own makes all of them.
    alike = logging.getLogRecordFactory() is logging.LogRecord
    for record in copies(record_of({}), each) if alike else map(record_of, each):
        logger.handle(record)


def copies(record: logging.LogRecord, each: Iterable[Mapping[str, object]]) -> Iterator[logging.LogRecord]:
    """The record again and again, with each of the fields."""
    alike, blank = vars(record), logging.LogRecord.__new__
    for fields in each:
        copy = blank(logging.LogRecord)
        vars(copy).update(alike, fields=fields)
        yield copy
