"""The queries, read from `sql/*.sql`: one file a query, its name the query's name."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

from taskfleet.schema_name import in_schema

_FOLDER = Path(__file__).parent.parent / "sql"


@cache
def load_queries(schema: str) -> Mapping[str, LiteralString]:
    """Every query by its name, for the given schema."""
    # Committed files, with nothing replaced in them but a validated name: as good as written in the code.
    return {path.stem: cast("LiteralString", in_schema(path.read_text(encoding="utf-8"), schema)) for path in sorted(_FOLDER.glob("*.sql"))}
