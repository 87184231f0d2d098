"""The local operator from end to end: real PostgreSQL, real worker processes."""

import signal
from typing import Any

import psutil
import psycopg
import pytest

from taskfleet import NewTask, Producer
from tests.integration.operator.stage import Stage, counts, secret, task_queue
from tests.support.waiting import wait_until

TWO = {"minReplicas": 2, "maxReplicas": 2}


def naps(count: int, *, seconds: float = 0.05) -> list[NewTask]:
    return [NewTask(kind="nap", payload={"seconds": seconds}) for _ in range(count)]


def enqueue(url: str, tasks: list[NewTask], *, queue: str = "naps") -> None:
    with Producer(url, queue=queue) as producer:
        producer.enqueue_many(tasks)


@pytest.mark.requirement("K2", "A3", "A9")
def test_fleet_grows_from_zero_with_the_work_and_returns_to_zero(
    stage: Stage, database_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    file = stage.write("queue.yaml", secret(database_url), task_queue("naps"))
    operator = stage.operator(file)
    operator.wait_for("database.lead_taken")
    assert operator.workers() == []

    enqueue(database_url, naps(1_500))
    operator.wait_until(lambda: len(operator.workers()) == 3)
    operator.wait_until(lambda: counts(connection)["succeeded"] == 1_500, within=60)
    operator.wait_until(lambda: not operator.workers(), within=60)

    assert counts(connection) == {"ready": 0, "running": 0, "succeeded": 1_500, "unsuccessful_attempts": 0}
    assert {line["exit_code"] for line in operator.said("worker.ended")} == {0}
    assert operator.said("queue.event", reason="Scaled")[0]["note"].startswith("from 0 to 3: 3 workers: ")
    assert max(row[0] for row in connection.execute("SELECT replicas FROM taskfleet.decisions")) == 3


@pytest.mark.requirement("K2")
def test_busy_workers_are_never_cut_off_while_the_fleet_shrinks(
    stage: Stage, database_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    file = stage.write("queue.yaml", secret(database_url), task_queue("naps"))
    operator, end = stage.operator(file), stage.folder / "end"
    enqueue(database_url, [NewTask(kind="until", payload={"file": str(end)}), *naps(600)])
    operator.wait_until(lambda: len(operator.workers()) == 3)

    operator.wait_until(lambda: len(operator.workers()) == 1, within=60)
    busy = counts(connection)
    end.touch()
    operator.wait_until(lambda: not operator.workers(), within=60)

    assert busy["running"] == 1
    assert counts(connection) == {"ready": 0, "running": 0, "succeeded": 601, "unsuccessful_attempts": 0}


def test_told_to_end_the_operator_lets_every_worker_finish(stage: Stage, database_url: str, connection: "psycopg.Connection[Any]") -> None:
    file = stage.write("queue.yaml", secret(database_url), task_queue("naps", scaling=TWO))
    operator = stage.operator(file)
    enqueue(database_url, naps(6, seconds=3))
    operator.wait_until(lambda: counts(connection)["running"] == 4)
    workers = operator.workers()

    operator.process.send(signal.SIGINT)
    code = operator.process.wait(within=20)

    assert code == 0
    assert counts(connection) == {"ready": 2, "running": 0, "succeeded": 4, "unsuccessful_attempts": 0}
    assert not any(worker.is_running() for worker in workers)


@pytest.mark.requirement("A2")
def test_killed_operator_leaves_nothing_behind(stage: Stage, database_url: str) -> None:
    file = stage.write("queue.yaml", secret(database_url), task_queue("naps"))
    operator = stage.operator(file)
    enqueue(database_url, naps(2_000))
    operator.wait_until(lambda: len(operator.workers()) == 3)
    workers = operator.workers()

    operator.process.send(signal.SIGKILL)

    wait_until(lambda: not any(psutil.pid_exists(worker.pid) for worker in workers), within=15)


@pytest.mark.requirement("K2")
def test_second_operator_waits_for_the_queue_and_takes_it_over(
    stage: Stage, database_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    file = stage.write("queue.yaml", secret(database_url), task_queue("naps"))
    first = stage.operator(file)
    first.wait_for("database.lead_taken")
    second = stage.operator(file)
    second.wait_for("condition.changed", condition="Degraded", reason="QueueHeld")
    first.process.send(signal.SIGKILL)

    enqueue(database_url, naps(1_000))
    second.wait_until(lambda: counts(connection)["succeeded"] == 1_000, within=60)

    assert second.said("condition.changed", condition="Degraded", status="False", reason="AsSpecified")


@pytest.mark.requirement("B5", "K2")
def test_policy_of_the_spec_is_in_the_database_and_follows_the_file(
    stage: Stage, database_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    def quota() -> Any:
        row = connection.execute("SELECT max_concurrent FROM taskfleet.kinds WHERE name = 'nap'").fetchone()
        return row and row[0]

    file = stage.write("queue.yaml", secret(database_url), task_queue("naps", kinds=[{"name": "nap", "maxConcurrent": 4}]))
    operator = stage.operator(file)
    operator.wait_until(lambda: quota() == 4)

    stage.write("queue.yaml", secret(database_url), task_queue("naps", kinds=[{"name": "nap", "maxConcurrent": 7}]))

    operator.wait_until(lambda: quota() == 7)


def test_task_queue_taken_out_of_the_file_lets_its_workers_finish_and_go(
    stage: Stage, database_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    file = stage.write("queue.yaml", secret(database_url), task_queue("naps", scaling=TWO), task_queue("others"))
    operator = stage.operator(file)
    enqueue(database_url, naps(4, seconds=2))
    operator.wait_until(lambda: counts(connection)["running"] == 4)

    stage.write("queue.yaml", secret(database_url), task_queue("others"))
    operator.wait_until(lambda: not operator.workers())

    assert counts(connection)["succeeded"] == 4


def test_changed_command_replaces_the_workers_without_losing_a_task(
    stage: Stage, database_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    file = stage.write("queue.yaml", secret(database_url), task_queue("naps", scaling=TWO))
    operator = stage.operator(file)
    operator.wait_until(lambda: len(operator.workers()) == 2)
    before = {worker.pid for worker in operator.workers()}
    enqueue(database_url, naps(400))

    changed = task_queue("naps", scaling=TWO, environment={"COLOUR": "green"})
    stage.write("queue.yaml", secret(database_url), changed)
    operator.wait_until(lambda: len(operator.workers()) == 2 and not before & {worker.pid for worker in operator.workers()}, within=60)
    operator.wait_until(lambda: counts(connection)["succeeded"] == 400, within=60)

    assert counts(connection)["unsuccessful_attempts"] == 0
