"""Maintenance by hand, looked at first; the audit log pruned by hand."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from taskfleet import NewTask, Producer
from tests.support.command_line import CommandLine

Connection = psycopg.Connection[Any]


@pytest.fixture(autouse=True)
def _address(database_url: str, monkeypatch: pytest.MonkeyPatch, taskfleet: CommandLine) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", database_url)


def counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {row["job"]: row["count"] for row in rows}


@pytest.mark.requirement("D3", "D4")
def test_what_maintenance_would_do_is_said_first_and_then_done(taskfleet: CommandLine, database_url: str, connection: Connection) -> None:
    with Producer(database_url, queue="media") as producer:
        producer.enqueue_many([NewTask(kind="index", run_at=datetime.now(UTC) - timedelta(days=3)) for _ in range(5)])
    connection.execute("UPDATE taskfleet.queues SET policy_written_at = now()")
    dry = taskfleet("maintenance", "--dry-run", "-o", "json")
    again = taskfleet("maintenance", "--dry-run", "--job", "expire_waiting")
    done = taskfleet("maintenance", "-j", "expire_waiting", "-j", "time_out_running", "-o", "json")
    left = taskfleet("maintenance", "--job", "expire_waiting", "-o", "name")
    everything = taskfleet("maintenance", "-o", "json")

    assert counts(dry.json)["expire_waiting"] == 5
    assert (again.code, again.words) == (0, "JOB COUNT expire_waiting 5")
    assert (done.code, counts(done.json)) == (0, {"time_out_running": 0, "expire_waiting": 5})
    assert (left.code, left.out) == (3, "expire_waiting\n")
    assert counts(everything.json)["fold_ledgers"] > 0


def test_a_job_that_is_none_is_refused_with_a_way_out(taskfleet: CommandLine) -> None:
    close, far = taskfleet("maintenance", "--job", "expire_waitng"), taskfleet("maintenance", "--job", "zzz")

    assert (close.code, far.code) == (1, 1)
    assert "there is no maintenance job 'expire_waitng': did you mean 'expire_waiting'?" in close.err
    assert "there is no maintenance job 'zzz': there are " in far.err


@pytest.fixture
def trail(connection: Connection) -> None:
    """Audit entries: 6 by ada 40 days ago, half of them of queue mail; 4 by maintenance 10 days ago."""
    connection.execute("SELECT taskfleet.create_partitions_v1(current_date - 41, 42)")
    connection.execute(
        "INSERT INTO taskfleet.audit_log (at, actor, action, queue, kind, group_name, outcome)"
        " SELECT now() - interval '40 days', 'cli:ada', 'retry', CASE WHEN n % 2 = 0 THEN 'mail' ELSE 'shop' END, 'send', 'tenant', 'done'"
        " FROM generate_series(1, 6) AS n"
    )
    connection.execute(
        "INSERT INTO taskfleet.audit_log (at, actor, action, outcome)"
        " SELECT now() - interval '10 days', 'maintenance', 'expire', 'done' FROM generate_series(1, 4)"
    )


def entries(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT actor, action, count(*)::integer FROM taskfleet.audit_log GROUP BY 1, 2 ORDER BY 1, 2").fetchall()


@pytest.mark.requirement("B13")
@pytest.mark.usefixtures("trail")
def test_the_audit_log_is_pruned_by_age_and_filter_in_batches_and_that_is_audited(taskfleet: CommandLine, connection: Connection) -> None:
    before = entries(connection)
    dry = taskfleet("audit", "prune", "--older-than", "30d", "--dry-run")
    unchanged = entries(connection)
    mail = taskfleet("audit", "prune", "--older-than", "30d", "--queue", "mail", "--batch", "2", "-o", "json").json
    named = taskfleet("audit", "prune", "--older-than", "1d", "--actor", "maintenance", "--action", "expire", "--yes")
    rest = taskfleet("audit", "prune", "--older-than", "1d", "--kind", "send", "--group", "tenant")
    none = taskfleet("audit", "prune", "--older-than", "1d")

    assert (dry.code, dry.out, before) == (0, "6 would be forgotten (dry run)\n", unchanged)
    assert (mail["count"], mail["dry_run"], mail["older_than_seconds"]) == (3, False, 2_592_000)
    assert (named.out, rest.out) == ("4 forgotten\n", "3 forgotten\n")
    assert (none.code, none.out) == (3, "0 forgotten\n")
    own = connection.execute(
        "SELECT DISTINCT actor LIKE 'cli:%%', action, detail ->> 'queue' FROM taskfleet.audit_log WHERE batch = %s", [mail["batch"]]
    ).fetchall()
    assert own == [(True, "prune_audit", "mail")]
    summaries = "SELECT sum((detail ->> 'count')::integer)::integer FROM taskfleet.audit_log WHERE outcome = 'summary'"
    assert connection.execute(summaries).fetchall() == [(10,)]


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 130, 6)])
def test_pruning_asks_a_person_first(
    taskfleet: CommandLine, connection: Connection, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: int
) -> None:
    typed = io.StringIO(answer)
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", typed)

    said = taskfleet("audit", "prune", "--older-than", "30d")

    assert (said.code, "Forget 6 audit entries?" in said.err) == (code, True)
    assert connection.execute("SELECT count(*) FROM taskfleet.audit_log WHERE actor = 'cli:ada'").fetchall() == [(left,)]


@pytest.mark.usefixtures("trail")
def test_an_age_must_be_said(taskfleet: CommandLine) -> None:
    assert taskfleet("audit", "prune").code == 2
