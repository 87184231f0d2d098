"""Options that many commands share, each defined once."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def moment_of(text: str) -> datetime:
    """A moment in ISO 8601 that says its offset from UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no moment: write it as 2026-03-01T09:00+01:00") from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} does not say its offset from UTC: add Z, or one such as +01:00")
    return moment


_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_SPAN = re.compile(r"(?P<number>\d+(?:\.\d+)?) ?(?P<unit>s|m|min|h|d|)")


def seconds_of(text: str) -> float:
    """A span of time: seconds, or a number with s, m, h or d."""
    found = _SPAN.fullmatch(text.strip())
    seconds = float(found["number"]) * _UNITS[found["unit"]] if found else 0.0
    if seconds <= 0:
        raise typer.BadParameter(f"{text!r} is no span of time: write 90s, 15m, 48h or 7d")
    return seconds


DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="TASKFLEET_DATABASE_URL",
        metavar="URL",
        show_default=False,
        help="Where the database is. TASKFLEET_DATABASE_URL_FILE may name a file that says it.",
    ),
]
Schema = Annotated[str, typer.Option("--schema", envvar="TASKFLEET_SCHEMA", help="Schema of the queue's relations.")]
Queue = Annotated[str, typer.Option("--queue", "-q", envvar="TASKFLEET_QUEUE", help="Name of the queue.")]
QueueFilter = Annotated[str | None, typer.Option("--queue", "-q", help="Only this queue.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count only; nothing is changed.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Moment = Annotated[
    datetime | None,
    typer.Option("--run-at", parser=moment_of, metavar="TIME", help="Not before this moment, such as 2026-03-01T09:00+01:00."),
]
Output = Annotated[
    Format,
    typer.Option("--output", "-o", metavar="FORMAT", help="table, wide (more columns, nothing cut), json, yaml or name (ids only)."),
]
