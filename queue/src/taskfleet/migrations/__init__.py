"""Migrations: numbered `NNNN_name.up.sql` and `.down.sql` beside this file, and what applies them.

An applied file is never changed; a change is a new number. Each runs in one transaction, so it is there whole or not at all.
"""

from taskfleet.migrations.drift import Drift, DriftKind, drift, drift_async
from taskfleet.migrations.files import Migration, known_migrations, newest_version
from taskfleet.migrations.migrator import Migrator
from taskfleet.migrations.plan import MigrationState, MigrationStatus

__all__ = [
    "Drift",
    "DriftKind",
    "Migration",
    "MigrationState",
    "MigrationStatus",
    "Migrator",
    "drift",
    "drift_async",
    "known_migrations",
    "newest_version",
]
