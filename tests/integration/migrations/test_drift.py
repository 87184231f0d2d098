"""What a database's schema has otherwise than the migrations made it."""

import psycopg
import pytest

from taskfleet.migrations import Drift, DriftKind, Migrator, drift, drift_async
from taskfleet.migrations.drift import compared, expected_objects

CHANGES = {
    "DROP INDEX taskfleet.ready_by_age": (DriftKind.MISSING, "index ready_by_age on ready"),
    "CREATE INDEX mine ON taskfleet.ready (run_at)": (DriftKind.UNEXPECTED, "index mine on ready"),
    "CREATE TABLE taskfleet.notes ()": (DriftKind.UNEXPECTED, "table notes"),
    "ALTER TABLE taskfleet.tasks ALTER group_name SET NOT NULL": (DriftKind.CHANGED, "column tasks.group_name"),
    "ALTER TABLE taskfleet.tasks DROP entity": (DriftKind.MISSING, "column tasks.entity"),
    "ALTER TABLE taskfleet.queues ALTER paused SET DEFAULT true": (DriftKind.CHANGED, "column queues.paused"),
    "ALTER TABLE taskfleet.sessions ADD CHECK (slots < 9)": (DriftKind.UNEXPECTED, "constraint sessions_slots_check1 on sessions"),
    "CREATE OR REPLACE FUNCTION taskfleet.lock_class(name text) RETURNS integer LANGUAGE sql IMMUTABLE RETURN 1": (
        DriftKind.CHANGED,
        "function lock_class(name text)",
    ),
    "ALTER FUNCTION taskfleet.close_session_v1 SECURITY DEFINER": (DriftKind.CHANGED, "function close_session_v1(session uuid)"),
    "CREATE TYPE taskfleet.mood AS ENUM ('well')": (DriftKind.UNEXPECTED, "type mood"),
    "CREATE VIEW taskfleet.all_tasks AS SELECT id FROM taskfleet.tasks": (DriftKind.UNEXPECTED, "view all_tasks"),
}


def drift_of(url: str, *, schema: str = "taskfleet") -> list[Drift]:
    with psycopg.connect(url) as connection:
        return list(drift(connection, schema=schema))


@pytest.mark.requirement("C5")
def test_a_migrated_database_has_not_drifted(database_url: str) -> None:
    assert drift_of(database_url) == []


@pytest.mark.requirement("C5")
def test_a_schema_of_another_name_has_not_drifted_either(empty_database_url: str) -> None:
    # A word that SQL keeps for itself, so that the server quotes it everywhere.
    Migrator(empty_database_url, "user").up()

    assert drift_of(empty_database_url, schema="user") == []


@pytest.mark.requirement("C5")
def test_each_change_by_hand_is_named(database_url: str) -> None:
    found = {}
    with psycopg.connect(database_url) as connection:
        for change in CHANGES:
            connection.execute(change.encode())
            found[change] = [(item.kind, item.object) for item in drift(connection)]
            connection.rollback()

    assert {change: wanted in found[change] for change, wanted in CHANGES.items()} == dict.fromkeys(CHANGES, True)


def test_what_an_administrator_may_tune_is_no_drift(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE taskfleet.ready SET (autovacuum_vacuum_cost_delay = 2)")
        connection.execute("SELECT taskfleet.create_partitions_v1(current_date + 30, 2)")
        connection.execute("COMMENT ON TABLE taskfleet.ready IS 'ours'")
        connection.execute("CREATE TABLE public.theirs ()")

        assert list(drift(connection)) == []


def test_a_database_without_the_schema_lacks_everything(empty_database_url: str) -> None:
    actual = drift_of(empty_database_url)

    assert {item.object for item in actual} == set(expected_objects())
    assert {item.kind for item in actual} == {DriftKind.MISSING}


async def test_it_can_be_asked_without_blocking_and_leaves_the_connection_as_it_was(database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute("SET search_path = taskfleet, public")
        actual = await drift_async(connection)
        row = await (await connection.execute("SHOW search_path")).fetchone()

    assert (list(actual), row) == ([], ("taskfleet, public",))


def test_each_difference_is_a_sentence() -> None:
    actual = compared({"table a": "", "column a.b": "text", "table c": ""}, {"table a": "", "column a.b": "integer", "table d": ""})

    assert [item.message for item in actual] == [
        "column a.b is 'text', the migrations make 'integer'",
        "table c was made by no migration",
        "table d is missing",
    ]
