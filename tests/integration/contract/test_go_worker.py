"""The worker of examples/go-worker, a real process, against the real database: it keeps what docs/sql-contract.md asks."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from taskfleet import AsyncProducer, Producer
from taskfleet.store import Database, MaintenanceStore
from taskfleet.words import TaskState
from tests.architecture.tree import ROOT
from tests.integration.contract.conftest import Sql
from tests.support.processes import Processes, RunningProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.xdist_group("go")

Start = Callable[..., RunningProcess]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worker, built."""
    if shutil.which("go") is None:
        pytest.skip("the Go worker is not tested: install Go 1.26 or newer")
    built = tmp_path_factory.mktemp("go") / "go-worker"
    made = subprocess.run(
        ["go", "build", "-mod=readonly", "-o", built, "."],
        cwd=ROOT / "examples" / "go-worker",
        env={**os.environ, "CGO_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return built


@pytest.fixture
def start(program: Path, database_url: str, processes: Processes) -> Start:
    """Starts a worker of the queue `shop`."""

    def started(*arguments: str) -> RunningProcess:
        command: list[str | Path] = [program, "-queue", "shop", "-poll", "100ms", *arguments]
        return processes.start(command, environment={"TASKFLEET_DATABASE_URL": database_url})

    return started


def one(sql: Sql, statement: str) -> object:
    rows = sql(statement)
    return next(iter(rows[0].values())) if rows else None


@pytest.mark.timeout(300)  # the first build on a machine compiles the driver
@pytest.mark.requirement("E3", "B2")
def test_it_completes_with_a_result_and_buries_what_is_invalid(start: Start, database_url: str) -> None:
    worker = start()
    with Producer(database_url, queue="shop") as producer:
        good = producer.enqueue("thumbnail", {"photo": "cat.png"}, wants_result=True).task_id
        bad = producer.enqueue("thumbnail", {"photo": 7}).task_id
        wait_until(lambda: producer.length() == 0 and producer.get_task(good).state is TaskState.SUCCEEDED, within=20)
        wait_until(lambda: producer.get_task(bad).state is TaskState.FAILED, within=20)
        succeeded, failed = producer.get_task(good), producer.get_task(bad)
    worker.send(signal.SIGTERM)

    assert worker.wait() == 0
    assert succeeded.result == {"thumbnail": "cat.png.small"}
    assert (failed.code, failed.attempt_count) == ("TASK_PAYLOAD_INVALID", 1)


@pytest.mark.requirement("B4")
async def test_it_renews_while_it_works_and_gives_up_what_it_lost(start: Start, database_url: str, sql: Sql) -> None:
    start("-lease", "1s")
    async with AsyncProducer(database_url, queue="shop") as producer, Database(database_url) as database:
        task_id = (await producer.enqueue("thumbnail", {"photo": "a.png", "seconds": 1.5})).task_id
        wait_until(lambda: one(sql, "SELECT count(*) FROM taskfleet.leases") == 1)
        sql("UPDATE taskfleet.queues SET default_min_backoff_seconds = 0, default_max_backoff_seconds = 0")
        opened_at = one(sql, "SELECT expires_at FROM taskfleet.sessions")
        wait_until(lambda: one(sql, "SELECT expires_at FROM taskfleet.sessions") != opened_at)
        # The session ends behind its back: recovered, its task is run again, by the session that it opens then.
        sql("UPDATE taskfleet.sessions SET expires_at = now() - interval '1 second'")
        recovered = await MaintenanceStore(database).recover_leases(due_seconds=0, limit=10)
        wait_until(lambda: one(sql, f"SELECT id FROM taskfleet.succeeded_tasks WHERE id = {task_id}") == task_id, within=20)
        task = await producer.get_task(task_id)

    assert recovered.handled == 1
    assert (task.state, task.attempt_count) == (TaskState.SUCCEEDED, 2)
    assert one(sql, "SELECT count(*) FROM taskfleet.sessions") == 2


def test_it_drains_and_says_so(start: Start, database_url: str, sql: Sql) -> None:
    start("-lease", "1s")
    with Producer(database_url, queue="shop") as producer:
        producer.enqueue("thumbnail", {"photo": "a.png", "seconds": 0.5})
        wait_until(lambda: one(sql, "SELECT count(*) FROM taskfleet.leases") == 1)
        sql("UPDATE taskfleet.sessions SET draining = true")
        producer.enqueue("thumbnail", {"photo": "b.png"})
        wait_until(lambda: one(sql, "SELECT drained_at FROM taskfleet.sessions") is not None, within=20)

        assert producer.length() == 1
    assert one(sql, "SELECT count(*) FROM taskfleet.succeeded_tasks") == 1


@pytest.mark.requirement("E10")
def test_what_it_cannot_finish_in_time_goes_back_when_it_is_stopped(start: Start, database_url: str, sql: Sql) -> None:
    worker = start("-grace", "100ms")
    with Producer(database_url, queue="shop") as producer:
        task_id = producer.enqueue("thumbnail", {"photo": "a.png", "seconds": 600}).task_id
        wait_until(lambda: one(sql, "SELECT count(*) FROM taskfleet.leases") == 1)
        worker.send(signal.SIGTERM)

        assert worker.wait() == 0
        assert (producer.get_task(task_id).state, producer.get_task(task_id).attempt_count) == (TaskState.READY, 0)
    assert one(sql, "SELECT closed_at IS NOT NULL FROM taskfleet.sessions") is True


def test_a_database_that_is_not_there_is_told(
    start: Start, database_url: str, program: Path, processes: Processes, closed_port: int
) -> None:
    url = psycopg.conninfo.make_conninfo(host="127.0.0.1", port=str(closed_port), user="x", dbname="x")
    worker = processes.start([program], environment={"TASKFLEET_DATABASE_URL": url})

    assert worker.wait() == 1
    assert "connection refused" in worker.output
