"""Drift: what a database's schema holds that the migrations did not put there, or lacks, or has otherwise.

The migrations' side is `schema_objects.json`, written with schema.sql by `make generate`; the database's side is sql/schema_objects.sql.
Worth asking of a database that is at this release's migration only: `Migrator.status` tells.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import psycopg

from taskfleet.schema_name import DEFAULT_SCHEMA, validated_schema

OBJECTS_FILE = Path(__file__).parent.parent / "schema_objects.json"
_QUERY_FILE = OBJECTS_FILE.parent / "sql" / "schema_objects.sql"

# Names are shown with their schema then, whatever the connection's own path is.
_NO_PATH = "SELECT set_config('search_path', 'pg_catalog', true)"


class DriftKind(StrEnum):
    """How a thing differs from what the migrations make."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One thing that differs: a table, column, constraint, index, function, type, sequence, view or trigger."""

    object: str
    """What it is and its name: `column tasks.payload`, `index ready_by_task on ready`."""
    kind: DriftKind
    expected: str | None
    """Its definition after the migrations; None when it is unexpected."""
    found: str | None
    """Its definition in the database; None when it is missing."""

    @property
    def message(self) -> str:
        """One sentence for people."""
        match self.kind:
            case DriftKind.MISSING:
                return f"{self.object} is missing"
            case DriftKind.UNEXPECTED:
                return f"{self.object} was made by no migration"
            case DriftKind.CHANGED:
                return f"{self.object} is {self.found!r}, the migrations make {self.expected!r}"


def drift(connection: "psycopg.Connection[Any]", *, schema: str = DEFAULT_SCHEMA) -> Sequence[Drift]:
    """Every difference between the database and the migrations of this release, by object; empty when there is none.

    Only reads the catalogue. A schema that is not there differs in everything. Raises the driver's errors.
    """
    query, parameters = _question(schema)
    with connection.transaction(force_rollback=True):
        connection.execute(_NO_PATH)
        return compared(dict(connection.execute(query, parameters).fetchall()))


async def drift_async(connection: "psycopg.AsyncConnection[Any]", *, schema: str = DEFAULT_SCHEMA) -> Sequence[Drift]:
    """`drift` on an asynchronous connection."""
    query, parameters = _question(schema)
    async with connection.transaction(force_rollback=True):
        await connection.execute(_NO_PATH)
        cursor = await connection.execute(query, parameters)
        return compared(dict(await cursor.fetchall()))


def compared(found: Mapping[str, str], expected: Mapping[str, str] | None = None) -> Sequence[Drift]:
    """The differences between two schemas, each as definitions by object; `expected` is this release's unless it is given."""
    wanted = expected_objects() if expected is None else expected
    return tuple(
        _difference(name, expected=wanted.get(name), found=found.get(name))
        for name in sorted(wanted.keys() | found.keys())
        if wanted.get(name) != found.get(name)
    )


@cache
def expected_objects() -> Mapping[str, str]:
    """What the migrations of this release make: definitions by object."""
    objects: dict[str, str] = json.loads(OBJECTS_FILE.read_text(encoding="utf-8"))
    return objects


def live_objects(url: str, *, schema: str = DEFAULT_SCHEMA) -> Mapping[str, str]:
    """What the schema of a database holds: definitions by object."""
    query, parameters = _question(schema)
    with psycopg.connect(url) as connection:
        connection.execute(_NO_PATH)
        return dict(connection.execute(query, parameters).fetchall())


@cache
def _question(schema: str) -> tuple[bytes, Mapping[str, str]]:
    # As it stands in the file: the name of the schema is a parameter here, no qualifier.
    return _QUERY_FILE.read_bytes(), {"schema": validated_schema(schema)}


def _difference(name: str, *, expected: str | None, found: str | None) -> Drift:
    match expected, found:
        case _, None:
            kind = DriftKind.MISSING
        case None, _:
            kind = DriftKind.UNEXPECTED
        case _:
            kind = DriftKind.CHANGED
    return Drift(object=name, kind=kind, expected=expected, found=found)
