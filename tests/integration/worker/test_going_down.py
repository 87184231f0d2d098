"""Workers that are told to go, killed, frozen or cut off: no task is lost and no late word counts."""

import signal
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.support.monitoring import fetched
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.integration.worker.conftest import Fleet
    from tests.support.processes import RunningProcess

    Logged = Callable[[RunningProcess, str], Sequence[Mapping[str, Any]]]

SHORT_LEASE = {"LEASE_SECONDS": "2", "POLL_SECONDS": "0.1", "RECOVERY_SECONDS": "0.2"}


def metrics_of(worker: "RunningProcess", logged: "Logged") -> str:
    """The page of /metrics."""
    (line,) = logged(worker, "probes.listening")
    return fetched(f"http://127.0.0.1:{line['port']}/metrics")


@pytest.mark.requirement("E3")
@pytest.mark.requirement("E10")
def test_sigterm_mid_task_lets_it_finish(fleet: "Fleet", logged: "Logged") -> None:
    worker = fleet.start(DRAIN_SECONDS="30")
    running = fleet.enqueue("hold")
    fleet.wait_for(f"{running}-1-started")
    worker.send(signal.SIGTERM)
    worker.wait_for_output('"worker.stopping"')
    waiting = fleet.enqueue("fine", {})
    fleet.let_go(running)

    assert worker.wait() == 0
    assert (fleet.task(running).state, fleet.task(waiting).state) == ("succeeded", "ready")
    assert [line["task_id"] for line in logged(worker, "task.completed")] == [running]


@pytest.mark.requirement("E10")
def test_what_is_not_done_in_the_drain_time_is_given_back_at_once(fleet: "Fleet") -> None:
    worker, other = fleet.start(DRAIN_SECONDS="1"), fleet.start(POLL_SECONDS="0.1")
    other.send(signal.SIGSTOP)
    task_id = fleet.enqueue("hold")
    fleet.wait_for(f"{task_id}-1-started")
    worker.send(signal.SIGTERM)

    assert worker.wait() == 0
    assert (fleet.task(task_id).state, fleet.task(task_id).attempt_count) == ("ready", 0)
    other.send(signal.SIGCONT)
    (fleet.witness / f"{task_id}-1-started").unlink()
    assert fleet.wait_for(f"{task_id}-1-started") == other.pid


@pytest.mark.requirement("E10")
def test_a_handler_stuck_in_a_thread_does_not_keep_the_process(fleet: "Fleet") -> None:
    worker = fleet.start(DRAIN_SECONDS="0.5")
    task_id = fleet.enqueue("block")
    fleet.wait_for(f"{task_id}-1-started")
    worker.send(signal.SIGTERM)

    assert worker.wait(within=10.0) == 0
    assert fleet.task(task_id).state == "ready"


def test_a_second_signal_hastens(fleet: "Fleet") -> None:
    worker = fleet.start(DRAIN_SECONDS="600")
    task_id = fleet.enqueue("hold")
    fleet.wait_for(f"{task_id}-1-started")
    worker.send(signal.SIGINT)
    worker.wait_for_output('"worker.stopping"')
    worker.send(signal.SIGTERM)

    assert worker.wait() == 128 + signal.SIGTERM
    assert fleet.task(task_id).state == "ready"


@pytest.mark.requirement("B4")
@pytest.mark.requirement("E10")
def test_the_task_of_a_killed_worker_is_done_by_another_after_its_lease(fleet: "Fleet") -> None:
    killed = fleet.start(**SHORT_LEASE)
    task_id = fleet.enqueue("hold")
    fleet.wait_for(f"{task_id}-1-started")
    killed.send(signal.SIGKILL)
    killed.wait()
    other = fleet.start(**SHORT_LEASE)
    assert fleet.wait_for(f"{task_id}-2-started") == other.pid
    fleet.let_go(task_id, attempt=2)

    task = fleet.wait_for_state(task_id, "succeeded")
    assert task.attempt_count == 2
    assert [attempt.code for attempt in task.attempts] == ["TASK_LEASE_EXPIRED"]


@pytest.mark.requirement("B2")
@pytest.mark.requirement("B4")
def test_the_late_word_of_a_frozen_worker_is_refused(fleet: "Fleet", logged: "Logged") -> None:
    frozen = fleet.start(HTTP_PORT="0", **SHORT_LEASE)
    task_id = fleet.enqueue("hold")
    fleet.wait_for(f"{task_id}-1-started")
    frozen.send(signal.SIGSTOP)
    other = fleet.start(**SHORT_LEASE)
    assert fleet.wait_for(f"{task_id}-2-started") == other.pid
    fleet.let_go(task_id, attempt=1)
    frozen.send(signal.SIGCONT)
    frozen.wait_for_output('"task.lease_lost"')
    refused = metrics_of(frozen, logged)
    during = fleet.task(task_id)
    fleet.let_go(task_id, attempt=2)
    after = fleet.wait_for_state(task_id, "succeeded")

    assert (during.state, during.attempt_count) == ("running", 2)
    assert 'taskfleet_lease_lost_total{kind="hold",queue="default"} 1.0' in refused
    assert after.attempt_count == 2
    assert logged(frozen, "task.completed") == []
    # It lives on under a new session.
    wait_until(lambda: len(logged(frozen, "session.opened")) == 2)
    other.send(signal.SIGTERM)
    other.wait()
    fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded")


@pytest.mark.requirement("E6")
@pytest.mark.requirement("E10")
def test_a_worker_whose_connections_are_cut_loses_nothing(fleet: "Fleet", logged: "Logged") -> None:
    worker = fleet.start(CONNECT_TRIES="5")
    task_id = fleet.enqueue("hold")
    fleet.wait_for(f"{task_id}-1-started")
    with psycopg.connect(fleet.url, autocommit=True) as connection:
        query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'taskfleet-worker'"
        assert connection.execute(query).fetchone() != (0,)
    fleet.let_go(task_id)
    fleet.wait_for_state(task_id, "succeeded")
    fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded")

    assert logged(worker, "task.lease_lost") == []
