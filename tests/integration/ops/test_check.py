"""check finds each fault once somebody has caused it, and names the way out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from taskfleet import Producer
from taskfleet.inspection import rules
from taskfleet.migrations import Migrator
from tests.support.command_line import CommandLine

pytestmark = pytest.mark.usefixtures("_filled")


@pytest.fixture
def _filled(database_url: str, monkeypatch: pytest.MonkeyPatch, taskfleet: CommandLine, connection: "psycopg.Connection[Any]") -> None:
    """Queue media with a waiting task, and maintenance that has just run."""
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", database_url)
    with Producer(database_url, queue="media") as producer:
        producer.enqueue("index")
    connection.execute("INSERT INTO taskfleet.maintenance_jobs (job, ran_at) VALUES ('fold_ledgers', now()), ('recover_leases', now())")


@pytest.fixture
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thresholds that small faults reach."""
    monkeypatch.setattr(rules.Thresholds, "__init__", lambda self: object.__setattr__(self, "__dict__", STRICT))


STRICT = {
    "horizon_warning_seconds": 0.0,
    "horizon_problem_seconds": 3_600.0,
    "dead_rows": 50,
    "changed_rows": 50,
    "silent_share": 0.5,
    "unrecovered_seconds": 30.0,
    "idle_maintenance_seconds": 60.0,
}


def found(taskfleet: CommandLine, *arguments: str) -> tuple[int, list[tuple[str, str, str]]]:
    answer = taskfleet("check", "-o", "json", *arguments)
    return answer.code, [(item["check"], item["severity"], item["subject"]) for item in answer.json]


def test_nothing_is_found_where_all_is_well(taskfleet: CommandLine) -> None:
    answer = taskfleet("check")

    assert (answer.code, answer.out.splitlines()[-1]) == (0, "nothing found")


CAUSES = {
    "a task moved by hand": (
        "DELETE FROM taskfleet.ready",
        ("ledger", "problem", "media/index waiting at priority 5"),
    ),
    "a state counted wrong": (
        "INSERT INTO taskfleet.state_ledger SELECT id, 'failed', 2 FROM taskfleet.kinds",
        ("ledger", "problem", "media/index failed"),
    ),
    "a column by hand": (
        "ALTER TABLE taskfleet.tasks ADD COLUMN note text",
        ("schema", "problem", "column tasks.note"),
    ),
    "maintenance that nobody runs": (
        "UPDATE taskfleet.maintenance_jobs SET ran_at = now() - interval '2 minutes'",
        ("maintenance", "problem", "fold_ledgers"),
    ),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_fault_is_found(taskfleet: CommandLine, connection: "psycopg.Connection[Any]", cause: str) -> None:
    statement, finding = CAUSES[cause]
    connection.execute(statement.encode())

    assert found(taskfleet) == (1, [finding])


def test_missing_partition_is_found(taskfleet: CommandLine, connection: "psycopg.Connection[Any]") -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    connection.execute(f"DROP TABLE taskfleet.attempts_{tomorrow:%Y%m%d}".encode())

    page = taskfleet("check")

    assert page.code == 1
    assert f"problem partitions taskfleet.attempts no partition for {tomorrow:%Y-%m-%d}" in page.words
    assert "see that a worker or operator runs maintenance" in page.words
    assert page.out.splitlines()[-1] == "1 problems, 0 warnings"


def test_schema_behind_is_found_before_anything_else(taskfleet: CommandLine, database_url: str) -> None:
    newest = Migrator(database_url).status()[-1].version
    Migrator(database_url).down(newest - 1)

    code, (finding, *more) = found(taskfleet)

    assert (code, finding[0], more) == (1, "schema", [])
    assert finding[2].startswith(f"migration {newest:04d}")


def test_ledgers_that_take_too_long_are_told_and_the_rest_is_still_looked_at(
    taskfleet: CommandLine, connection: "psycopg.Connection[Any]"
) -> None:
    connection.execute(
        "INSERT INTO taskfleet.ready (task_id, run_at, due_since, kind_id, priority)"
        " SELECT -n, now(), now(), 1, 5 FROM generate_series(1, 90000) AS n"
    )

    assert found(taskfleet, "--ledger-seconds", "0.001") == (0, [("ledger", "warning", "ledgers")])


@pytest.mark.usefixtures("_strict")
def test_pinned_horizon_is_found_with_who_holds_it(
    taskfleet: CommandLine, database_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    with psycopg.connect(f"{database_url}?application_name=report") as holder:
        holder.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        holder.execute("SELECT 1")
        page = taskfleet("check", "-o", "wide")
        pid = holder.info.backend_pid

    assert page.code == 0
    assert f"warning horizon connection {pid} report as " in page.words
    assert f"SELECT pg_terminate_backend({pid})" in page.words
    del connection


@pytest.fixture
def _no_vacuum(connection: "psycopg.Connection[Any]") -> None:
    connection.execute("ALTER TABLE taskfleet.missing_entities SET (autovacuum_enabled = off)")


@pytest.mark.usefixtures("_strict", "_no_vacuum")
def test_dead_rows_and_stale_statistics_are_found(taskfleet: CommandLine, connection: "psycopg.Connection[Any]") -> None:
    connection.execute("INSERT INTO taskfleet.missing_entities SELECT 1, n::text, now() FROM generate_series(1, 200) AS n")
    connection.execute("DELETE FROM taskfleet.missing_entities")
    connection.execute("SELECT pg_stat_force_next_flush()")
    connection.execute("SELECT 1")

    assert found(taskfleet) == (
        0,
        [("dead_rows", "warning", "taskfleet.missing_entities"), ("statistics", "warning", "taskfleet.missing_entities")],
    )


@pytest.mark.parametrize(
    ("silent", "expired", "severity"), [pytest.param(40, False, "warning", id="silent"), pytest.param(400, True, "problem", id="lost")]
)
def test_worker_that_is_not_heard_of_is_found(
    taskfleet: CommandLine, connection: "psycopg.Connection[Any]", silent: int, expired: bool, severity: str
) -> None:
    connection.execute(
        "INSERT INTO taskfleet.sessions (id, queue_id, worker, slots, kinds, lease_seconds, heartbeat_at, expires_at)"
        " SELECT gen_random_uuid(), id, 'w-1', 1, '{index}', 60, now() - make_interval(secs => %s), now() + make_interval(secs => %s)"
        " FROM taskfleet.queues",
        [silent, -300 if expired else 20],
    )
    connection.execute(
        "WITH taken AS (DELETE FROM taskfleet.ready RETURNING *), noted AS (INSERT INTO taskfleet.backlog_ledger"
        " SELECT kind_id, priority, taskfleet.backlog_bucket(run_at, now()), -1 FROM taken)"
        " INSERT INTO taskfleet.leases (task_id, token, session_id, started_at, deadline_at, run_at, due_since, kind_id,"
        " attempt_count, priority)"
        " SELECT task_id, gen_random_uuid(), sessions.id, now(), now() + interval '1 hour', run_at, due_since, kind_id, 1, priority"
        " FROM taken, taskfleet.sessions"
    )

    assert found(taskfleet) == (int(expired), [("sessions", severity, "worker w-1 of media")])
