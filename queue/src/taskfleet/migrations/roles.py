"""Database roles with the rights that each sort of program needs, and no more.

Four roles without a login, to be granted to the users that programs connect as. The owner of the schema, who migrates, is none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from taskfleet.connecting import connect
from taskfleet.errors import MigrationError, SettingsError
from taskfleet.migrations.drift import expected_objects
from taskfleet.schema_name import DEFAULT_SCHEMA, validated_schema

_LETTERS: Mapping[str, LiteralString] = {"r": "SELECT", "i": "INSERT", "u": "UPDATE", "d": "DELETE"}
_LONGEST_NAME = 63


@dataclass(frozen=True, kw_only=True)
class RoleNames:
    """What the roles are called in the cluster of databases, to which roles belong."""

    producer: str = "taskfleet_producer"
    """Everything about tasks: enqueues them, looks at, cancels, retries, pauses, clears and schedules them; claims nothing."""
    worker: str = "taskfleet_worker"
    """Claims, settles, takes part in maintenance; changes no policy, reads no audit log."""
    operator: str = "taskfleet_operator"
    """Measures, writes policy and decisions, takes part in maintenance; claims nothing, reads no audit log."""
    ops: str = "taskfleet_ops"
    """Everything that people do by hand: all rows, but no relation and no migration."""


# What maintenance touches, whoever runs it. To lock a row takes the right to update it.
_UPKEEP: Mapping[str, str] = {
    "attempts": "rid",
    "audit_log": "i",
    "backlog_buckets": "riud",
    "backlog_ledger": "riud",
    "cancel_requests": "riud",
    "dead_letters": "riud",
    "decisions": "rd",
    "held": "riud",
    "idempotency_keys": "riud",
    "kind_starts": "rd",
    "kinds": "r",
    "leadership": "r",
    "leases": "rud",
    "maintenance_jobs": "riu",
    "migrations": "r",
    "missing_entities": "riud",
    "outcome_ledger": "riud",
    "outcome_minutes": "riud",
    "outcome_totals": "riu",
    "paused_groups": "riud",
    "queues": "r",
    "ready": "riud",
    "retention_marks": "riud",
    "scaling_states": "r",
    "schedules": "ru",
    "sessions": "rud",
    "state_ledger": "riud",
    "state_totals": "riud",
    "succeeded_tasks": "rid",
    "tasks": "rid",
}

RIGHTS: Mapping[str, Mapping[str, str]] = {
    "producer": {
        "attempts": "r",
        "backlog_buckets": "r",
        "backlog_ledger": "ri",
        "cancel_requests": "riud",
        "dead_letters": "riud",
        "held": "riud",
        "idempotency_keys": "riud",
        "kinds": "r",
        "leases": "r",
        "migrations": "r",
        "outcome_ledger": "ri",
        "paused_groups": "riud",
        "queues": "r",
        "ready": "riud",
        "schedules": "riud",
        "sessions": "r",
        "state_ledger": "ri",
        "succeeded_tasks": "r",
        "tasks": "rid",
    },
    "worker": {**_UPKEEP, "kind_starts": "riud", "leases": "riud", "sessions": "riud"},
    "operator": {**_UPKEEP, "decisions": "rid", "kinds": "riu", "leadership": "ru", "queues": "riu", "scaling_states": "riu"},
}
"""Rights of a role by relation, as letters of SELECT (r), INSERT, UPDATE and DELETE; ops has all of them everywhere."""

_NAMING = ("producer", "worker")
"""Roles that may create queues and kinds at first use, with nothing but their names: all else about them is policy."""


def roles_sql(schema: str = DEFAULT_SCHEMA, names: RoleNames = RoleNames()) -> Composed:
    """The script that makes the roles where they are missing and gives them exactly their rights; safe to run again."""
    home, parts = Identifier(validated_schema(schema)), []
    for field in fields(names):
        name = validated_role(getattr(names, field.name))
        parts.append(_created(name))
        parts.append(
            SQL(
                "REVOKE ALL ON ALL TABLES IN SCHEMA {home} FROM {role}; REVOKE ALL ON ALL SEQUENCES IN SCHEMA {home} FROM {role}; "
                "GRANT USAGE ON SCHEMA {home} TO {role}; GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {home} TO {role};"
            ).format(home=home, role=Identifier(name))
        )
        parts.append(_everything(home, name) if field.name == "ops" else _rights(schema, name, field.name))
    return SQL("\n").join(parts)


def apply_roles(url: str, *, schema: str = DEFAULT_SCHEMA, names: RoleNames = RoleNames(), connect_tries: int = 5) -> None:
    """Run `roles_sql` as the schema's owner with the right to create roles, in one transaction; worth repeating after each migration.

    Raises DatabaseUnreachableError, MigrationError when something is refused, and SettingsError for a name that cannot be one.
    """
    script = roles_sql(schema, names)
    with connect(url, tries=connect_tries) as connection:
        try:
            with connection.transaction():
                connection.execute(script)
        except psycopg.Error as error:
            message = f"roles for schema {schema!r} were not granted, nothing was changed: {str(error).strip()}"
            raise MigrationError(message) from error


def validated_role(name: str) -> str:
    """The name itself; raises SettingsError unless PostgreSQL takes it as it is."""
    if not name or len(name.encode()) > _LONGEST_NAME or name.startswith("pg_") or name in {"public", "none"}:
        message = f"role {name!r} cannot be used: 1 to {_LONGEST_NAME} bytes, not public, none or pg_…"
        raise SettingsError(message)
    return name


def _created(name: str) -> Composed:
    # Two runs at once may both find it missing; the second then meets the first's.
    return SQL(
        "DO $do$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {text}) THEN CREATE ROLE {role} NOLOGIN; END IF; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $do$;"
    ).format(text=Literal(name), role=Identifier(name))


def _everything(home: Identifier, name: str) -> Composed:
    return SQL(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {home} TO {role}; "
        "REVOKE INSERT, UPDATE, DELETE ON {home}.migrations FROM {role};"
    ).format(home=home, role=Identifier(name))


def _rights(schema: str, name: str, role: str) -> Composed:
    grants: list[Composable] = [
        SQL("GRANT {} ON {} TO {};").format(
            SQL(", ").join(SQL(_LETTERS[letter]) for letter in letters),
            Identifier(schema, relation),
            Identifier(name),
        )
        for relation, letters in RIGHTS[role].items()
        if f"table {relation}" in expected_objects()
    ]
    if role in _NAMING:
        grants.append(SQL("GRANT INSERT (name) ON {} TO {};").format(Identifier(schema, "queues"), Identifier(name)))
        grants.append(SQL("GRANT INSERT (queue_id, name) ON {} TO {};").format(Identifier(schema, "kinds"), Identifier(name)))
    return SQL("\n").join(grants)
