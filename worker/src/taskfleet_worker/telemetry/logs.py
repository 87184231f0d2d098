"""One line per event: JSON for machines, `key=value` text for a person at a terminal.

The message of a record is the constant name of the event, everything else are fields. Lines that are written while a handler
runs, by whatever logger, carry the ids of its task.
"""

import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from taskfleet.json_text import encoder
from taskfleet_worker.context import current_context, ids_of
from taskfleet_worker.settings import LogFormat
from taskfleet_worker.telemetry.lines import LineHandler

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "fields"}
_LEVELS = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error", logging.CRITICAL: "critical"}
_encode = encoder(json.JSONEncoder(default=str, ensure_ascii=False, separators=(",", ":")))


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, event, logger, then the fields."""

    def __init__(self, common: Mapping[str, object]) -> None:
        super().__init__()
        self._encoded_common = "".join(f",{_encode(name)}:{_encode(value)}" for name, value in common.items())
        self._own_names = frozenset(("time", "level", "event", "logger", *common))
        self._stamps = Stamps("%Y-%m-%dT%H:%M:%S")
        self._last: tuple[tuple[object, ...], str] = ((), "")
        """How the last line began, and of what: the next one is often of the same event and moment."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = fields_of(record)
        if record.exc_info:
            fields["stack"] = self.formatException(record.exc_info)
        begun = self._begun(record)
        if self._own_names.isdisjoint(fields):
            return f"{begun},{_encode(fields)[1:]}" if fields else begun + "}"
        return _encode({**json.loads(begun + "}"), **fields})

    def _begun(self, record: logging.LogRecord) -> str:
        """The line as far as it is the formatter's own, still open."""
        made_of = (record.created, record.levelno, record.levelname, record.getMessage(), record.name)
        last, begun = self._last
        if last != made_of:
            stamp, level = self._stamps.stamp(record.created), _LEVELS.get(record.levelno, record.levelname)
            begun = f'{{"time":"{stamp}Z","level":{_encode(level)},"event":{_encode(made_of[3])}'
            begun += f',"logger":{_encode(record.name)}{self._encoded_common}'
            # Both at once: another thread may be here with a line of its own, for another handler.
            self._last = made_of, begun
        return begun


class TextFormatter(logging.Formatter):
    """A line for people: time, level, event, then `key=value`."""

    def __init__(self) -> None:
        super().__init__()
        self._stamps = Stamps("%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """The line, with a stack below it where there is one."""
        fields = [f"{name}={value}" for name, value in fields_of(record).items() if value is not None]
        level = _LEVELS.get(record.levelno, record.levelname)
        line = " ".join([self._stamps.stamp(record.created), f"{level:7}", record.getMessage(), *fields])
        return line if not record.exc_info else f"{line}\n{self.formatException(record.exc_info)}"


class Stamps:
    """Formats moments in UTC with milliseconds; the second is formatted once, however many lines it holds."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._last = -1, ""

    def stamp(self, created: float) -> str:
        """The moment as text."""
        second = int(created)
        last, text = self._last
        if second != last:
            text = time.strftime(self._pattern, time.gmtime(second))
            self._last = second, text
        return f"{text}.{int((created - second) * 1000):03d}"


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """The fields of a record: `extra={"fields": {...}}`, any other extra, and the ids of the task whose handler wrote it."""
    found: dict[str, object] = {}
    context = current_context.get()
    if context is not None and not record.name.startswith("taskfleet.worker"):
        found.update(ids_of(context.task))
    given = vars(record)
    if not given.keys() <= _STANDARD:
        found.update({name: value for name, value in given.items() if name not in _STANDARD})
    fields = given.get("fields")
    if isinstance(fields, Mapping):
        found.update(fields)
    elif fields is not None:
        found["fields"] = fields
    return found


@dataclass(frozen=True, kw_only=True)
class LogSetup:
    """How this process logs, as a child process needs to know it."""

    level: int
    formatter: JsonFormatter | TextFormatter


def log_setup() -> LogSetup | None:
    """How this process logs; None if not as `configure_logging` says."""
    root = logging.getLogger()
    for handler in root.handlers:
        if isinstance(handler.formatter, JsonFormatter | TextFormatter):
            return LogSetup(level=root.level, formatter=handler.formatter)
    return None


def set_up_logging(setup: LogSetup) -> None:
    """Log to standard output as another process does."""
    handler = LineHandler(sys.stdout)
    handler.setFormatter(setup.formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(setup.level)


def configure_logging(*, level: str, form: LogFormat, common: Mapping[str, object], stream: TextIO | None = None) -> None:
    """Send every logger of this process to `stream` (standard output if None), one line per record.

    `common` goes into every JSON line: queue and worker.
    """
    handler = LineHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(common) if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
