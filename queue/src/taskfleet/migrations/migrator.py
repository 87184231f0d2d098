"""Bring a database to this release's schema and back: one transaction a migration, one runner at a time."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.sql import SQL, Composed, Identifier, Literal

from taskfleet.backoff import pauses
from taskfleet.connecting import connect
from taskfleet.errors import MigrationError
from taskfleet.migrations import plan
from taskfleet.migrations.files import Migration, known_migrations
from taskfleet.schema_name import DEFAULT_SCHEMA, in_schema, validated_schema

_BOOKKEEPING = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.migrations (
    version integer PRIMARY KEY CHECK (version > 0),
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE {schema}.migrations IS 'Applied migrations: number, name and SHA-256 of the file.';
-- Asked first: adding a column that is there already would lock the table all the same.
DO $do$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = {table}::regclass AND attname = 'works_from') THEN
        ALTER TABLE {schema}.migrations ADD COLUMN works_from integer;
        COMMENT ON COLUMN {schema}.migrations.works_from IS
            'The oldest release, by its newest migration, whose programs keep working with this one; NULL: only those that know it.';
    END IF;
END $do$;
"""
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('taskfleet migrations ' || {name}, 0))"
# A table that an older release made has no column works_from.
_READ = """
SELECT version, name, checksum, applied_at, (to_jsonb(migrations) ->> 'works_from')::integer AS works_from
FROM {schema}.migrations
"""
_REMEMBER = "INSERT INTO {schema}.migrations (version, name, checksum, works_from) VALUES ({version}, {title}, {checksum}, {works_from})"
_FORGET = "DELETE FROM {schema}.migrations WHERE version = {version}"
_LEAVE = "DROP TABLE IF EXISTS {schema}.migrations; DROP SCHEMA IF EXISTS {schema}"

_Connection = psycopg.Connection[Any]
_Step = Callable[[Mapping[int, plan.Applied]], tuple[Migration, Composed] | None]


class Migrator:
    """Applies and takes back migrations of one schema in one database.

    Every migration waits at most `lock_seconds` for a lock that others hold, lets go and comes again (`lock_tries` times): a migration
    that queues behind one long transaction would hold up everybody behind itself. Safe to call from many processes at once.
    """

    def __init__(
        self,
        url: str,
        schema: str = DEFAULT_SCHEMA,
        *,
        lock_seconds: float = 2.0,
        lock_tries: int = 30,
        connect_tries: int = 5,
        folder: Path | None = None,
    ) -> None:
        self._url = url
        self._schema = validated_schema(schema)
        self._lock_seconds = lock_seconds
        self._lock_tries = lock_tries
        self._connect_tries = connect_tries
        self._known = known_migrations() if folder is None else known_migrations(folder)

    def __repr__(self) -> str:
        return f"Migrator(schema={self._schema!r})"

    def up(self, to: int | None = None) -> Sequence[Migration]:
        """Apply what is missing, up to and including version `to`; returns what was applied.

        A newer schema that says it works with this release is left as it is. Raises SchemaTooNewError or MigrationError before anything is
        touched when the database does not fit this release, and MigrationError when a migration fails: then those before it stay, nothing
        of it remains.
        """
        target = self._version(len(self._known) if to is None else to)

        def step(applied: Mapping[int, plan.Applied]) -> tuple[Migration, Composed] | None:
            migration = plan.next_up(self._known, applied, to=target)
            return None if migration is None else (migration, self._script_up(migration))

        return self._run(step, creates=True)

    def down(self, to: int, *, accept_loss: bool = False) -> Sequence[Migration]:
        """Take back everything above version `to`, newest first; returns what was taken back.

        Tasks are kept wherever they are. What an older schema has no place for (`losses`) is lost with `accept_loss`, else MigrationError
        names what there is of it, and nothing is changed. Version 0 removes the schema and everything in it that is ours.
        """
        target = self._version(to)
        if not accept_loss and (lost := self.losses(target)):
            message = (
                f"taking schema {self._schema!r} back to version {target} would lose {'; '.join(lost)}: nothing was changed; save it, and "
                "say that it may go (`taskfleet migrate down --accept-loss`)"
            )
            raise MigrationError(message)

        def step(applied: Mapping[int, plan.Applied]) -> tuple[Migration, Composed] | None:
            migration = plan.next_down(self._known, applied, to=target)
            return None if migration is None else (migration, self._script_down(migration))

        return self._run(step, creates=False)

    def losses(self, to: int) -> Sequence[str]:
        """What this database holds that the way back to version `to` cannot keep, in words, newest migration first; changes nothing."""
        target = self._version(to)
        with connect(self._url, tries=self._connect_tries) as connection:
            applied = self._applied(connection)
            return tuple(
                f"{loss.what} ({migration.title})"
                for migration in reversed(self._known)
                if migration.version > target and migration.version in applied
                for loss in migration.losses
                if connection.execute(SQL("{} LIMIT 1").format(self._body(loss.found))).fetchone() is not None
            )

    def status(self) -> Sequence[plan.MigrationStatus]:
        """Every migration that the database or this release knows, oldest first; changes nothing."""
        with connect(self._url, tries=self._connect_tries) as connection:
            applied = self._applied(connection)
        return plan.status(self._known, applied)

    def sql(self, *, after: int = 0, to: int | None = None) -> str:
        """What `up` would run on a database at version `after`, as one script for psql, for people who apply changes by hand."""
        target = self._version(len(self._known) if to is None else to)
        wanted = [migration for migration in self._known if self._version(after) < migration.version <= target]
        parts = [self._filled(_BOOKKEEPING).as_string().strip()]
        parts += [f"-- {migration.title}\n{self._script_up(migration).as_string().strip()}" for migration in wanted]
        return "\n\n".join(["BEGIN;", *parts, "COMMIT;"]) + "\n"

    def _run(self, step: _Step, *, creates: bool) -> Sequence[Migration]:
        done: list[Migration] = []
        with connect(self._url, tries=self._connect_tries) as connection:
            while (migration := self._patiently(connection, step, creates=creates)) is not None:
                done.append(migration)
        return tuple(done)

    def _patiently(self, connection: _Connection, step: _Step, *, creates: bool) -> Migration | None:
        for pause in [*pauses(self._lock_tries, random=Random()), None]:
            try:
                return self._one(connection, step, creates=creates)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if pause is None:
                    message = (
                        f"schema {self._schema!r}: no lock within {self._lock_tries} tries of {self._lock_seconds:g} s; a long transaction "
                        "holds it: look for it in pg_stat_activity, end it, and run `taskfleet migrate up` again"
                    )
                    raise MigrationError(message) from error
                time.sleep(pause)
        raise AssertionError

    def _one(self, connection: _Connection, step: _Step, *, creates: bool) -> Migration | None:
        """One migration in one transaction; None when nothing is left to do."""
        chosen = None
        try:
            with connection.transaction():
                connection.execute(SQL("SET LOCAL lock_timeout = {}").format(Literal(round(self._lock_seconds * 1000))))
                connection.execute(self._filled(_LOCK, name=self._schema))
                if creates:
                    connection.execute(self._filled(_BOOKKEEPING))
                # Read under the lock and in a new statement: another runner may just have finished this one.
                applied = self._applied(connection)
                plan.require_known(self._known, applied, schema=self._schema, newer_may_be=creates)
                chosen = step(applied)
                if chosen is None:
                    return None
                connection.execute(chosen[1])
                return chosen[0]
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            raise
        except psycopg.Error as error:
            what = "its bookkeeping" if chosen is None else f"migration {chosen[0].title}"
            message = f"schema {self._schema!r}: {what} failed, nothing of it remains: {str(error).strip()}"
            raise MigrationError(message) from error

    def _applied(self, connection: _Connection) -> Mapping[int, plan.Applied]:
        exists = connection.execute("SELECT to_regclass(%s)", [f'"{self._schema}".migrations']).fetchone()
        if exists is None or exists[0] is None:
            return {}
        rows = connection.cursor(row_factory=class_row(plan.Applied)).execute(self._filled(_READ))
        return {row.version: row for row in rows}

    def _script_up(self, migration: Migration) -> Composed:
        remember = self._filled(
            _REMEMBER, version=migration.version, title=migration.name, checksum=migration.checksum, works_from=migration.works_from
        )
        return Composed([self._body(migration.up), SQL("\n"), remember, SQL(";")])

    def _script_down(self, migration: Migration) -> Composed:
        # Forgotten first: the way back of the first migration may take the table along.
        parts = [self._filled(_FORGET, version=migration.version), SQL(";\n"), self._body(migration.down)]
        return Composed([*parts, SQL("\n"), self._filled(_LEAVE)] if migration.version == 1 else parts)

    def _body(self, text: str) -> SQL:
        # Committed files, not input from outside; the only thing replaced in them is a validated name.
        return SQL(in_schema(text, self._schema))

    def _filled(self, template: str, **values: str | int) -> Composed:
        literals = {name: Literal(value) for name, value in values.items()}
        return SQL(template).format(schema=Identifier(self._schema), table=Literal(f'"{self._schema}".migrations'), **literals)

    def _version(self, version: int) -> int:
        if not 0 <= version <= len(self._known):
            message = f"there is no migration {version}: this release knows 0 (nothing) to {len(self._known)}"
            raise MigrationError(message)
        return version
