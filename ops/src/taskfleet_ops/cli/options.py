"""Options that many commands share, each defined once."""

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
Moment = Annotated[
    datetime | None,
    typer.Option("--run-at", parser=moment_of, metavar="TIME", help="Not before this moment, such as 2026-03-01T09:00+01:00."),
]
Output = Annotated[
    Format,
    typer.Option("--output", "-o", metavar="FORMAT", help="table, wide (more columns, nothing cut), json, yaml or name (ids only)."),
]
