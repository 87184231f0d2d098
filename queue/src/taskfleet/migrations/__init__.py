"""Migrations: numbered `NNNN_name.up.sql` and `.down.sql` beside this file, and what applies them.

An applied file is never changed; a change is a new number. Each runs in one transaction, so it is there whole or not at all.
"""

from taskfleet.migrations.drift import Drift, DriftKind, drift, drift_async
from taskfleet.migrations.files import Loss, Migration, known_migrations
from taskfleet.migrations.migrator import Migrator
from taskfleet.migrations.plan import MigrationState, MigrationStatus
from taskfleet.migrations.roles import RoleNames, apply_roles, roles_sql
from taskfleet.schema_version import newest_version

__all__ = [
    "Drift",
    "DriftKind",
    "Loss",
    "Migration",
    "MigrationState",
    "MigrationStatus",
    "Migrator",
    "RoleNames",
    "apply_roles",
    "drift",
    "drift_async",
    "known_migrations",
    "newest_version",
    "roles_sql",
]
