"""The database goes away and comes back; the clock of the machine is wrong. Workers lose nothing and do nothing twice."""

import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from taskfleet.embedded import EmbeddedServer
from taskfleet.migrations import Migrator
from tests.integration.worker.conftest import Fleet
from tests.support.postgres import FAST
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.processes import Processes, RunningProcess

    Logged = Callable[[RunningProcess, str], Sequence[Mapping[str, Any]]]

WRONG_CLOCK = """
import time
right = time.time
time.time = lambda: right() + 3600.0
"""


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A folder that the server's own user may enter."""
    with tempfile.TemporaryDirectory(prefix="taskfleet-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made) / "server"


@pytest.mark.requirement("E6")
@pytest.mark.requirement("E10")
def test_a_database_that_restarts_costs_a_running_worker_nothing(
    processes: "Processes", server_folder: Path, tmp_path: Path, logged: "Logged"
) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(EmbeddedServer(server_folder, options=FAST))
        Migrator(first.url).up()
        fleet = Fleet(processes, first.url, tmp_path)
        worker = fleet.start(POLL_SECONDS="0.2")
        held, ended = fleet.enqueue("hold"), fleet.enqueue("hold")
        fleet.wait_for(f"{held}-1-started")
        fleet.wait_for(f"{ended}-1-started")
        first.stop()
        # It ends while nobody can be told.
        fleet.let_go(ended)
        fleet.wait_for(f"{ended}-1-done")
        worker.wait_for_output('"loop.failed"')
        stack.enter_context(EmbeddedServer(server_folder, options=FAST, port=first.port))
        fleet.reconnect()
        kept = fleet.wait_for_state(ended, "succeeded", within=30.0)
        fleet.let_go(held)
        also_kept = fleet.wait_for_state(held, "succeeded")
        fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded")
        fleet.close()

    assert (kept.attempt_count, also_kept.attempt_count) == (1, 1)
    assert (logged(worker, "task.lease_lost"), worker.exit_code) == ([], 0)


@pytest.mark.requirement("E10")
def test_a_clock_that_is_an_hour_wrong_changes_nothing(fleet: Fleet, logged: "Logged", tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WRONG_CLOCK, encoding="utf-8")
    worker = fleet.start(LEASE_SECONDS="2", POLL_SECONDS="0.1", PYTHONPATH=str(tmp_path))
    long = fleet.enqueue("hold")
    fleet.wait_for(f"{long}-1-started")
    tomorrow, soon = fleet.enqueue("fine", {}, delay_seconds=1800), fleet.enqueue("fine", {}, delay_seconds=0.3)
    fleet.wait_for_state(soon, "succeeded")
    first = fleet.task(long).lease_expires_at
    assert first is not None
    # Two heartbeats: were leases kept by this clock, they would be lost or last for an hour.
    wait_until(lambda: (fleet.task(long).lease_expires_at or first) > first + timedelta(seconds=1.5))
    expires = fleet.task(long).lease_expires_at
    fleet.let_go(long)
    fleet.wait_for_state(long, "succeeded")

    (started,) = logged(worker, "worker.started")
    shown = datetime.fromisoformat(started["time"])
    assert shown - datetime.now(UTC) > timedelta(minutes=59)
    assert expires is not None
    assert expires - datetime.now(UTC) < timedelta(seconds=10)
    assert (fleet.task(tomorrow).state, logged(worker, "task.lease_lost")) == ("scheduled", [])
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
