"""The queries, read from `sql/*.sql`: one file a query, its name the query's name."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import LiteralString

from taskfleet.schema_name import in_schema

_FOLDER = Path(__file__).parent.parent / "sql"


@cache
def load_queries(schema: str) -> Mapping[str, LiteralString]:
    """Every query by its name, for the given schema; of its comments only the first line stays, for who looks at pg_stat_activity.

    The driver takes the placeholders of a query apart once, but anew at each call where it is longer than 4,096 bytes.
    """
    return {path.stem: _literal(in_schema(_bare(path.read_text(encoding="utf-8")), schema)) for path in sorted(_FOLDER.glob("*.sql"))}


def _bare(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for number, line in enumerate(lines) if number == 0 or not line.lstrip().startswith("--"))


def _literal(text: str) -> LiteralString:
    # A committed file, with nothing replaced in it but a validated name, is as good as written in the code.
    return text  # type: ignore[return-value, unused-ignore]
