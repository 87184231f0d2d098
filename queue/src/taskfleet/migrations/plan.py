"""What to do with a database, from what it holds and what this release knows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from taskfleet.errors import MigrationError, SchemaTooNewError
from taskfleet.migrations.files import Migration


class MigrationState(StrEnum):
    """How a migration stands in a database."""

    APPLIED = "applied"
    PENDING = "pending"
    CHANGED = "changed"
    """Applied, but its file is another one now."""
    NEWER = "newer"
    """Applied by a newer release, and it says that this one keeps working."""
    UNKNOWN = "unknown"
    """Applied by a newer release, which this one does not work with."""


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A row of the table `migrations`."""

    version: int
    name: str
    checksum: str
    applied_at: datetime
    works_from: int | None = None
    """The oldest release, by its newest migration, whose programs keep working with it; None: only those that know it."""

    def works_with(self, release: int) -> bool:
        """Whether programs that know the migrations up to `release` keep working once it is applied."""
        return (self.works_from or self.version) <= release


@dataclass(frozen=True, kw_only=True)
class MigrationStatus:
    """One migration, in the database, in this release, or in both."""

    version: int
    name: str
    state: MigrationState
    applied_at: datetime | None


def status(known: Sequence[Migration], applied: Mapping[int, Applied]) -> Sequence[MigrationStatus]:
    """Every migration that either side knows, oldest first."""
    by_version = {migration.version: migration for migration in known}
    return tuple(
        _status_of(by_version.get(version), applied.get(version), release=len(known))
        for version in sorted(by_version.keys() | applied.keys())
    )


def _status_of(migration: Migration | None, row: Applied | None, *, release: int) -> MigrationStatus:
    match migration, row:
        case Migration(), None:
            return MigrationStatus(version=migration.version, name=migration.name, state=MigrationState.PENDING, applied_at=None)
        case None, Applied():
            state = MigrationState.NEWER if row.works_with(release) else MigrationState.UNKNOWN
        case Migration(), Applied():
            state = MigrationState.APPLIED if row.checksum == migration.checksum else MigrationState.CHANGED
        case _:
            raise AssertionError
    return MigrationStatus(version=row.version, name=row.name, state=state, applied_at=row.applied_at)


def require_known(known: Sequence[Migration], applied: Mapping[int, Applied], *, schema: str, newer_may_be: bool = False) -> None:
    """Raise SchemaTooNewError or MigrationError unless the database holds this release's files, unchanged, or fewer of them.

    `newer_may_be`: newer ones are fine as long as they say that they work with this release.
    """
    found = max(applied, default=0)
    if found > len(known) and not (newer_may_be and all(row.works_with(len(known)) for row in applied.values())):
        raise SchemaTooNewError(schema=schema, found=found, known=len(known))
    changed = [row.version for row in status(known, applied) if row.state is MigrationState.CHANGED]
    if changed:
        migration = known[changed[0] - 1]
        message = (
            f"migration {migration.title} is applied in schema {schema!r} with checksum {applied[changed[0]].checksum[:12]}, its file has "
            f"{migration.checksum[:12]}: restore the file, and put the change into a new migration"
        )
        raise MigrationError(message)
    missing = sorted(set(range(1, found + 1)) - applied.keys())
    if missing:
        message = f"schema {schema!r} is at migration {found} but says nothing of {missing[0]:04}: restore the rows of its table migrations"
        raise MigrationError(message)


def next_up(known: Sequence[Migration], applied: Mapping[int, Applied], *, to: int) -> Migration | None:
    """The next migration towards version `to`, None when it is reached."""
    return next((migration for migration in known if migration.version <= to and migration.version not in applied), None)


def next_down(known: Sequence[Migration], applied: Mapping[int, Applied], *, to: int) -> Migration | None:
    """The next migration to take back towards version `to`, None when it is reached."""
    return next((migration for migration in reversed(known) if migration.version > to and migration.version in applied), None)
