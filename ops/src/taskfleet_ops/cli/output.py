"""Answers as a table, JSON, YAML or names: one way to write them for every command."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from taskfleet_ops.cli.options import Format

Row = TypeVar("Row")
_ROOM = 100_000
"""Columns of a file or pipe: nothing is cut there."""


@dataclass(frozen=True, kw_only=True)
class Column(Generic[Row]):
    """One column of a table."""

    title: str
    text: Callable[[Row], str]
    right: bool = False
    """Numbers stand to the right."""
    wide: bool = False
    """Shown with `-o wide` only."""


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[Row]):
    """How rows of one type look."""

    columns: Sequence[Column[Row]]
    name: Callable[[Row], str]
    """What `-o name` prints for a row."""

    def write(self, rows: Sequence[Row], *, output: Format) -> None:
        """Write rows to standard output."""
        match output:
            case Format.JSON | Format.YAML:
                write_value([plain(row) for row in rows], output=output)
            case Format.NAME:
                sys.stdout.writelines(f"{self.name(row)}\n" for row in rows)
            case Format.TABLE | Format.WIDE:
                self._write_table(rows, wide=output is Format.WIDE)

    def _write_table(self, rows: Sequence[Row], *, wide: bool) -> None:
        from rich.console import Console
        from rich.table import Table

        columns = [column for column in self.columns if wide or not column.wide]
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in columns:
            table.add_column(column.title, justify="right" if column.right else "left", no_wrap=True, overflow="ellipsis")
        for row in rows:
            table.add_row(*(column.text(row) for column in columns))
        whole = wide or not sys.stdout.isatty()
        Console(highlight=False, markup=False, width=_ROOM if whole else None, soft_wrap=whole).print(table)


def write_value(value: object, *, output: Format) -> None:
    """Write a value that JSON can carry as JSON, or as YAML."""
    if output is Format.YAML:
        import yaml

        yaml.safe_dump(value, sys.stdout, sort_keys=False, allow_unicode=True)
    else:
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def plain(value: object) -> object:
    """A value as JSON carries it: dataclasses become objects, moments ISO 8601, ids text."""
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case str():
            # Also what turns a word of an enumeration into its text.
            return str(value)
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
        case Sequence():
            return [plain(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return value
