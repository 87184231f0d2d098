"""Migrations: numbered `NNNN_name.up.sql` and `.down.sql` beside this file, and what applies them.

An applied file is never changed; a change is a new number. Each runs in one transaction, so it is there whole or not at all.
"""

from taskfleet.migrations.files import Migration, known_migrations, newest_version
from taskfleet.migrations.migrator import Migrator
from taskfleet.migrations.plan import MigrationState, MigrationStatus

__all__ = ["Migration", "MigrationState", "MigrationStatus", "Migrator", "known_migrations", "newest_version"]
