"""Log lines: a constant event name and fields. JSON for machines, one readable line for a person at a terminal."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

LogFormat = Literal["json", "text"]

_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
"""What every record carries; the rest of it are the fields of the event."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, event, and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line of one record."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            **fields_of(record),
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """Time, level, event, `field=value` for each field."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line of one record."""
        fields = "".join(f" {name}={_shown(value)}" for name, value in fields_of(record).items())
        stack = "\n" + self.formatException(record.exc_info) if record.exc_info else ""
        return f"{_time(record)[11:19]} {record.levelname.lower():7} {record.getMessage()}{fields}{stack}"


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """Give the fields that the event itself named."""
    return {name: value for name, value in record.__dict__.items() if name not in _OWN and value is not None}


def configure_logging(*, log_format: LogFormat, level: str, stream: TextIO | None = None) -> None:
    """Send all log lines of the process to standard error, or to `stream`."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Warnings of the libraries are ours to see, their chatter is not.
    for name in ("psycopg", "psycopg.pool", "asyncio", "kopf", "aiohttp", "kubernetes"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text
