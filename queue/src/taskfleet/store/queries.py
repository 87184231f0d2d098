"""The queries, read from `sql/*.sql`: one file a query, its name the query's name."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import LiteralString

from taskfleet.schema_name import in_schema

_FOLDER = Path(__file__).parent.parent / "sql"


class Queries(Mapping[str, LiteralString]):
    """Every query by its name, for one schema; of its comments only the first line stays, for who looks at pg_stat_activity.

    A file is read when its query is first asked for: a process needs a few of them, and all would take 20 ms of its start.
    """

    # The driver takes the placeholders of a query apart once, but anew at each call where it is longer than 4,096 bytes.

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._read: dict[str, LiteralString] = {}

    def __getitem__(self, name: str) -> LiteralString:
        text = self._read.get(name)
        if text is None:
            text = self._read[name] = _literal(in_schema(_bare(_file(name).read_text(encoding="utf-8")), self._schema))
        return text

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in _FOLDER.glob("*.sql")))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@cache
def load_queries(schema: str) -> Queries:
    """The queries for the given schema."""
    return Queries(schema)


def _file(name: str) -> Path:
    path = _FOLDER / f"{name}.sql"
    if not path.is_file():
        raise KeyError(name)
    return path


def _bare(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(line for number, line in enumerate(lines) if number == 0 or not line.lstrip().startswith("--"))


def _literal(text: str) -> LiteralString:
    # A committed file, with nothing replaced in it but a validated name, is as good as written in the code.
    return text  # type: ignore[return-value, unused-ignore]
