import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

import taskfleet
from taskfleet.errors import DatabaseUnreachableError, MigrationError, SchemaTooNewError
from taskfleet.migrations import Migrator, known_migrations, newest_version
from taskfleet.migrations.plan import MigrationState
from tests.support.processes import Processes
from tests.support.waiting import wait_until

ALL = list(range(1, newest_version() + 1))


def execute(url: str, statement: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def schemas(url: str) -> set[str]:
    return {name for (name,) in execute(url, "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)'")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small migrations of a test's own."""
    (tmp_path / "0001_notes.up.sql").write_text("CREATE TABLE taskfleet.notes (id integer);\nINSERT INTO taskfleet.notes VALUES (1);\n")
    (tmp_path / "0001_notes.down.sql").write_text("DROP TABLE taskfleet.notes;\n")
    (tmp_path / "0002_text.up.sql").write_text("ALTER TABLE taskfleet.notes ADD text text DEFAULT '100 %';\n")
    (tmp_path / "0002_text.down.sql").write_text("ALTER TABLE taskfleet.notes DROP text;\n")
    return tmp_path


@pytest.mark.requirement("C5")
def test_an_empty_database_gets_everything_once(empty_database_url: str) -> None:
    migrator = Migrator(empty_database_url)

    assert [migration.version for migration in migrator.up()] == ALL
    assert list(migrator.up()) == []
    assert {row.state for row in migrator.status()} == {MigrationState.APPLIED}


def test_status_of_a_database_without_the_schema_changes_nothing(empty_database_url: str) -> None:
    assert {row.state for row in Migrator(empty_database_url).status()} == {MigrationState.PENDING}
    assert schemas(empty_database_url) == set()


@pytest.mark.requirement("C5")
def test_the_way_back_to_nothing_leaves_nothing(empty_database_url: str) -> None:
    migrator = Migrator(empty_database_url)
    migrator.up()

    assert [migration.version for migration in migrator.down(0)] == ALL[::-1]
    assert schemas(empty_database_url) == set()
    assert [migration.version for migration in migrator.up()] == ALL


def test_a_schema_of_another_name_holds_everything_and_knows_nothing_of_the_default(empty_database_url: str) -> None:
    Migrator(empty_database_url, "jobs").up()
    settings = taskfleet.QueueSettings(schema_name="jobs")
    with taskfleet.Producer(empty_database_url, queue="orders", settings=settings) as producer:
        task_id = producer.enqueue("mail", {"a": 1}).task_id
        producer.enqueue_many([taskfleet.NewTask(kind="mail", idempotency_key="k")])

        assert (producer.get_task(task_id).payload, producer.length()) == ({"a": 1}, 2)
    bodies = execute(empty_database_url, "SELECT prosrc FROM pg_proc WHERE pronamespace = 'jobs'::regnamespace")
    assert schemas(empty_database_url) == {"jobs"}
    assert [body for (body,) in bodies if re.search(r"taskfleet\.[a-z]", body)] == []


def test_two_schemas_live_side_by_side(empty_database_url: str) -> None:
    Migrator(empty_database_url, "one").up()
    Migrator(empty_database_url, "two").up()
    Migrator(empty_database_url, "one").down(0)

    assert schemas(empty_database_url) == {"two"}


def test_the_script_does_what_up_does(empty_database_url: str) -> None:
    migrator = Migrator(empty_database_url)
    migrator.up(to=1)

    execute(empty_database_url, migrator.sql(after=1))

    assert {row.state for row in migrator.status()} == {MigrationState.APPLIED}


def test_up_and_down_stop_at_a_version(empty_database_url: str, folder: Path) -> None:
    migrator = Migrator(empty_database_url, folder=folder)

    assert [migration.title for migration in migrator.up(to=1)] == ["0001_notes"]
    assert [migration.title for migration in migrator.up()] == ["0002_text"]
    assert execute(empty_database_url, "SELECT text FROM taskfleet.notes") == [("100 %",)]
    assert [migration.title for migration in migrator.down(1)] == ["0002_text"]
    assert execute(empty_database_url, "SELECT * FROM taskfleet.notes") == [(1,)]


@pytest.mark.parametrize("version", [-1, 3])
def test_a_version_that_does_not_exist_is_refused(empty_database_url: str, folder: Path, version: int) -> None:
    migrator = Migrator(empty_database_url, folder=folder)

    calls: list[Callable[[int], object]] = [migrator.up, migrator.down, lambda to: migrator.sql(to=to)]

    for refused in calls:
        with pytest.raises(MigrationError, match=rf"there is no migration {version}: this release knows 0 \(nothing\) to 2"):
            refused(version)


@pytest.mark.requirement("C5")
def test_a_file_that_was_changed_after_it_was_applied_stops_everything(empty_database_url: str) -> None:
    migrator = Migrator(empty_database_url)
    migrator.up(to=1)
    execute(empty_database_url, "UPDATE taskfleet.migrations SET checksum = 'another'")

    with pytest.raises(MigrationError, match=r"migration 0001_\w+ is applied in schema 'taskfleet' with checksum another"):
        migrator.up()

    assert [row.state for row in migrator.status()][:2] == [MigrationState.CHANGED, MigrationState.PENDING]


@pytest.mark.requirement("C5")
def test_a_schema_of_a_newer_release_is_left_alone(empty_database_url: str, folder: Path) -> None:
    Migrator(empty_database_url, folder=folder).up()
    (folder / "0003_next.up.sql").write_text("CREATE TABLE taskfleet.next ();\n")
    (folder / "0003_next.down.sql").write_text("DROP TABLE taskfleet.next;\n")
    older = Migrator(empty_database_url, folder=folder)
    known_migrations.cache_clear()
    Migrator(empty_database_url, folder=folder).up()

    calls: list[Callable[[], object]] = [older.up, lambda: older.down(0)]
    for refused in calls:
        with pytest.raises(SchemaTooNewError, match="is at migration 3, this release knows 2"):
            refused()
    assert [row.state for row in older.status()] == [MigrationState.APPLIED, MigrationState.APPLIED, MigrationState.UNKNOWN]


def test_a_migration_that_fails_leaves_nothing_of_itself_and_keeps_those_before(empty_database_url: str, folder: Path) -> None:
    (folder / "0002_text.up.sql").write_text("CREATE TABLE taskfleet.half (); SELECT 1 / 0;\n")

    with pytest.raises(MigrationError, match="migration 0002_text failed, nothing of it remains: division by zero"):
        Migrator(empty_database_url, folder=folder).up()

    assert execute(empty_database_url, "SELECT to_regclass('taskfleet.half'), to_regclass('taskfleet.notes')::text") == [
        (None, "taskfleet.notes")
    ]
    assert execute(empty_database_url, "SELECT version FROM taskfleet.migrations") == [(1,)]


def test_who_may_not_create_a_schema_is_told(empty_database_url: str) -> None:
    role = f"reader_{re.sub('[^0-9]', '', empty_database_url.rsplit('/', 1)[1])}"
    execute(empty_database_url, f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    address = re.sub(r"//[^@]*@", f"//{role}:x@", empty_database_url)

    try:
        with pytest.raises(MigrationError, match="its bookkeeping failed, nothing of it remains: permission denied"):
            Migrator(address).up()
    finally:
        execute(empty_database_url, f"DROP ROLE {role}")


def test_a_lock_that_others_keep_is_given_up_with_what_to_do(empty_database_url: str, folder: Path) -> None:
    Migrator(empty_database_url, folder=folder).up(to=1)
    with psycopg.connect(empty_database_url) as holder:
        holder.execute("SELECT * FROM taskfleet.notes")

        with pytest.raises(MigrationError, match=r"no lock within 2 tries of 0\.05 s; a long transaction holds it"):
            Migrator(empty_database_url, folder=folder, lock_seconds=0.05, lock_tries=2).up()


def test_a_lock_that_others_let_go_is_waited_for_without_standing_in_their_way(empty_database_url: str, folder: Path) -> None:
    Migrator(empty_database_url, folder=folder).up(to=1)
    migrator = Migrator(empty_database_url, folder=folder, lock_seconds=0.05, lock_tries=1_000)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE%'"
    with psycopg.connect(empty_database_url) as holder:
        holder.execute("SELECT * FROM taskfleet.notes")
        running = threading.Thread(target=migrator.up)
        running.start()
        wait_until(lambda: execute(empty_database_url, waiting) == [(1,)], every=0.005)
        wait_until(lambda: execute(empty_database_url, waiting) == [(0,)], every=0.005)
        # Between its tries a reader that comes later passes.
        assert execute(empty_database_url, "SELECT id FROM taskfleet.notes") == [(1,)]
    running.join()

    assert {row.state for row in migrator.status()} == {MigrationState.APPLIED}


RUN = """
import sys
from taskfleet.migrations import Migrator
applied = Migrator(sys.argv[1]).up()
print("applied", *[migration.version for migration in applied], "end", flush=True)
"""


@pytest.mark.requirement("C5")
def test_many_processes_at_once_apply_each_migration_once(empty_database_url: str, processes: Processes) -> None:
    with psycopg.connect(empty_database_url) as gate:
        # Held until all of them wait at it, so that they really meet.
        gate.execute("SELECT pg_advisory_xact_lock(hashtextextended('taskfleet migrations taskfleet', 0))")
        running = [processes.start_python(RUN, empty_database_url) for _ in range(3)]
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
        wait_until(lambda: execute(empty_database_url, waiting) == [(3,)], within=30)
    ended = [process.wait(within=60) for process in running]

    applied = [int(word) for process in running for word in process.output.split() if word.isdigit()]
    assert ended == [0, 0, 0]
    assert sorted(applied) == ALL


@pytest.mark.requirement("E6", "E10")
def test_a_server_that_is_not_there_is_a_clear_error_without_the_password(closed_port: int) -> None:
    migrator = Migrator(f"postgresql://shop:hush-hush@127.0.0.1:{closed_port}/orders", connect_tries=2)

    for call in (migrator.up, migrator.status):
        with pytest.raises(
            DatabaseUnreachableError, match=rf"127\.0\.0\.1:{closed_port}/orders as shop gave no connection in 2 tries"
        ) as caught:
            call()
        assert "hush" not in str(caught.value)
    assert "hush" not in repr(migrator)
