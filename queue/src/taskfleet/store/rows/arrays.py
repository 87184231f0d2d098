"""PostgreSQL's arrays as text, for those that are in every batch: several times cheaper than the driver's own lists. Pure."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID


def bigints(numbers: Iterable[int]) -> str:
    """`{1,2,3}`, to be cast to bigint[]."""
    return "{" + ",".join(map(str, numbers)) + "}"


def uuids(values: Iterable[UUID]) -> str:
    """`{4bf9…,00f0…}`, to be cast to uuid[]; neighbours in a batch are mostly one object, which is written out once."""
    texts: list[str] = []
    last, text = None, ""
    for value in values:
        if value is not last:
            last, text = value, str(value)
        texts.append(text)
    return "{" + ",".join(texts) + "}"


def texts(values: Iterable[str]) -> str:
    """`{"a","b"}`, to be cast to text[]."""
    return "{" + ",".join(['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values]) + "}"


def moments(values: Iterable[datetime]) -> str:
    """`{2026-01-31T12:00:00+00:00}`, to be cast to timestamptz[]."""
    return "{" + ",".join([value.isoformat() for value in values]) + "}"
