"""Bringing a database to this release's schema, and back."""

from collections.abc import Sequence

from taskfleet.migrations import Migration, MigrationStatus, Migrator, RoleNames, apply_roles, roles_sql
from taskfleet_ops.services.access import Address


def up(address: Address, *, to: int | None) -> Sequence[Migration]:
    """Apply what is missing, up to version `to`; returns what was applied."""
    return _migrator(address).up(to)


def down(address: Address, *, to: int, accept_loss: bool) -> Sequence[Migration]:
    """Take back everything above version `to`; returns what was taken back. Refused where that would lose something, unless it may."""
    return _migrator(address).down(to, accept_loss=accept_loss)


def status(address: Address) -> Sequence[MigrationStatus]:
    """Every migration that the database or this release knows, oldest first."""
    return _migrator(address).status()


def sql(schema: str, *, after: int, to: int | None) -> str:
    """What `up` would run on a database at version `after`, as a script for psql; needs no database."""
    return Migrator("", schema).sql(after=after, to=to)


def roles(address: Address, names: RoleNames) -> None:
    """Make the roles where they are missing, and give them exactly their rights."""
    apply_roles(address.url, schema=address.schema, names=names)


def roles_script(schema: str, names: RoleNames) -> str:
    """What `roles` would run, as a script for psql; needs no database."""
    return f"BEGIN;\n{roles_sql(schema, names).as_string()}\nCOMMIT;\n"


def _migrator(address: Address) -> Migrator:
    return Migrator(address.url, address.schema)
