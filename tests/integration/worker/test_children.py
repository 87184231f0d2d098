"""Child processes of real workers: no child outlives its worker, however that one goes."""

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

import taskfleet
from tests.support.waiting import wait_until
from tests.support.workers import start_worker

if TYPE_CHECKING:
    from tests.support.processes import Processes, RunningProcess

    Logged = Callable[[RunningProcess, str], Sequence[Mapping[str, Any]]]

MODULE = """
import os, time
from pathlib import Path
from taskfleet_worker import Tasks

tasks = Tasks()


@tasks.task("compute", process=True)
def compute(witness: str) -> None:
    Path(witness).write_text(str(os.getpid()))
    time.sleep(60)
"""


class Computing:
    """A worker whose child computes."""

    def __init__(self, processes: "Processes", url: str, folder: Path) -> None:
        self.url = url
        witness = folder / "pid"
        with taskfleet.Producer(url) as producer:
            self.task_id = producer.enqueue("compute", str(witness)).task_id
        environment = {"TASKFLEET_DRAIN_SECONDS": "0.5", "TASKFLEET_LEASE_SECONDS": "2"}
        self.worker = start_worker(processes, folder / "code", url, module=MODULE, environment=environment)
        wait_until(lambda: witness.exists() and witness.read_text(), within=30.0)
        self.child = int(witness.read_text())

    def state(self) -> tuple[str, int]:
        with taskfleet.Producer(self.url) as producer:
            task = producer.get_task(self.task_id)
        return task.state, task.attempt_count


@pytest.fixture
def computing(processes: "Processes", database_url: str, tmp_path: Path) -> Computing:
    return Computing(processes, database_url, tmp_path)


@pytest.mark.requirement("E10")
def test_a_child_dies_with_a_worker_that_is_killed(computing: Computing) -> None:
    computing.worker.send(signal.SIGKILL)

    wait_until(lambda: not psutil.pid_exists(computing.child))


def test_a_worker_that_goes_in_order_ends_its_child_and_gives_the_task_back(computing: Computing) -> None:
    computing.worker.send(signal.SIGTERM)

    assert computing.worker.wait() == 0
    assert not psutil.pid_exists(computing.child)
    assert computing.state() == ("ready", 0)


@pytest.mark.requirement("E10")
def test_a_killed_child_costs_an_attempt_and_leaves_the_worker_at_work(computing: Computing, logged: "Logged") -> None:
    psutil.Process(computing.child).kill()
    wait_until(lambda: logged(computing.worker, "task.requeued"))

    (line,) = logged(computing.worker, "task.requeued")
    assert line["code"] == "TASK_EXECUTION_FAILED"
    assert "was ended by SIGKILL" in line["message"]
    assert computing.worker.alive
