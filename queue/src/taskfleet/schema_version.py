"""The version of the schema that this release needs. Every process asks at its start, so no migration is read for it."""

from functools import cache
from pathlib import Path

_MIGRATIONS = Path(__file__).parent / "migrations"


@cache
def newest_version() -> int:
    """The number of the newest migration; they are numbered without gaps. 0 when there is none."""
    return sum(1 for _ in _MIGRATIONS.glob("*.up.sql"))
