"""PostgreSQL's arrays as text, for those that are in every batch: several times cheaper than the driver's own lists. Pure."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID


def bigints(numbers: Iterable[int]) -> str:
    """`{1,2,3}`, to be cast to bigint[]."""
    return "{" + ",".join(map(str, numbers)) + "}"


def uuids(values: Iterable[UUID]) -> str:
    """`{4bf9…,00f0…}`, to be cast to uuid[]; the tokens of a batch are mostly the same few objects, each is written out once."""
    known: dict[UUID, str] = {}
    return "{" + ",".join([known.get(value) or known.setdefault(value, str(value)) for value in values]) + "}"


def texts(values: Iterable[str]) -> str:
    """`{"a","b"}`, to be cast to text[]."""
    return "{" + ",".join(['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values]) + "}"


def moments(values: Iterable[datetime]) -> str:
    """`{2026-01-31T12:00:00+00:00}`, to be cast to timestamptz[]."""
    return "{" + ",".join([value.isoformat() for value in values]) + "}"
