"""Bringing a database to this release's schema, and back."""

from collections.abc import Sequence

from taskfleet.migrations import Migration, MigrationStatus, Migrator
from taskfleet_ops.services.access import Address


def up(address: Address, *, to: int | None) -> Sequence[Migration]:
    """Apply what is missing, up to version `to`; returns what was applied."""
    return _migrator(address).up(to)


def down(address: Address, *, to: int) -> Sequence[Migration]:
    """Take back everything above version `to`; returns what was taken back."""
    return _migrator(address).down(to)


def status(address: Address) -> Sequence[MigrationStatus]:
    """Every migration that the database or this release knows, oldest first."""
    return _migrator(address).status()


def sql(schema: str, *, after: int, to: int | None) -> str:
    """What `up` would run on a database at version `after`, as a script for psql; needs no database."""
    return Migrator("", schema).sql(after=after, to=to)


def _migrator(address: Address) -> Migrator:
    return Migrator(address.url, address.schema)
