"""What goes wrong around a local operator: each fault is told with its way out, and harms nothing else."""

import signal
import socket
from typing import Any

import psutil
import psycopg
import pytest

from taskfleet import NewTask, Producer
from tests.integration.operator.gate import Mode, gate_to
from tests.integration.operator.stage import Stage, counts, secret, task_queue
from tests.support.postgres import TestServer
from tests.support.waiting import wait_until

ONE = {"minReplicas": 1, "maxReplicas": 1}


def enqueue(url: str, count: int, *, queue: str = "naps", seconds: float = 0.05) -> None:
    with Producer(url, queue=queue) as producer:
        producer.enqueue_many([NewTask(kind="nap", payload={"seconds": seconds}) for _ in range(count)])


def test_wrong_task_queue_is_refused_with_path_found_and_allowed(stage: Stage, database_url: str) -> None:
    operator = stage.operator(stage.write("queue.yaml", secret(database_url), task_queue("naps", goal={"maxWaitSecond": 5})))

    code = operator.process.wait()

    assert code == 1
    assert (
        "taskfleet-operator: TaskQueue default/naps: spec.goal.maxWaitSecond: found an unknown field, "
        "allowed: did you mean maxWaitSeconds? one of maxWaitSeconds" in operator.process.output
    )


def test_missing_file_is_refused_by_name(stage: Stage) -> None:
    operator = stage.operator(stage.folder / "nowhere.yaml")

    code = operator.process.wait()

    assert (code, "nowhere.yaml cannot be read: No such file or directory" in operator.process.output) == (1, True)


def test_occupied_port_is_told_with_the_way_out(stage: Stage, database_url: str) -> None:
    file = stage.write("queue.yaml", secret(database_url), task_queue("naps"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        operator = stage.operator(file, arguments=["--metrics-port", str(port)])
        code = operator.process.wait()

    assert code == 1
    assert f"cannot be served at 127.0.0.1:{port}: another program listens there; choose another port with --metrics-port" in (
        operator.process.output
    )


def test_broken_task_queue_harms_no_other(stage: Stage, database_url: str, connection: "psycopg.Connection[Any]") -> None:
    good = stage.write("good.yaml", secret(database_url), task_queue("naps"))
    broken = stage.write("broken.yaml", task_queue("broken", scaling={"minReplicas": 9, "maxReplicas": 1}))
    operator = stage.operator(good, broken)
    enqueue(database_url, 200)
    operator.wait_until(lambda: counts(connection)["succeeded"] == 200, within=60)
    told = operator.said("queue.event", reason="SpecInvalid", task_queue="default/broken")

    stage.write("broken.yaml", task_queue("broken", scaling=ONE))
    operator.wait_for("condition.changed", task_queue="default/broken", condition="Ready", status="True")

    assert [line["note"] for line in told] == [
        "spec.scaling: found minReplicas 9, maxReplicas 1, allowed: minReplicas must not be above maxReplicas"
    ]


def test_file_that_breaks_while_running_keeps_what_it_held(stage: Stage, database_url: str, connection: "psycopg.Connection[Any]") -> None:
    file = stage.write("queue.yaml", secret(database_url), task_queue("naps", scaling=ONE))
    operator = stage.operator(file)
    operator.wait_until(operator.workers)

    file.write_text("spec: [")
    told = operator.wait_for("file.invalid")
    enqueue(database_url, 20)
    operator.wait_until(lambda: counts(connection)["succeeded"] == 20)

    assert "is no YAML" in told["error"]


@pytest.mark.requirement("E6")
def test_unreachable_database_is_told_and_does_not_delay_the_queues_of_another(
    stage: Stage, database_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    lost = secret("postgresql://nobody@127.0.0.1:9/nothing", name="lost")
    operator = stage.operator(stage.write("queue.yaml", lost, secret(database_url), task_queue("far", secret="lost"), task_queue("naps")))
    enqueue(database_url, 200)
    operator.wait_until(lambda: counts(connection)["succeeded"] == 200, within=60)
    told = operator.wait_for("queue.event", reason="DatabaseUnreachable")

    assert told["task_queue"] == "default/far"
    assert "PostgreSQL at 127.0.0.1:9/nothing as nobody gave no connection" in told["note"]


def test_slow_database_does_not_delay_the_queues_of_another(
    stage: Stage, postgres_server: TestServer, database_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    with postgres_server.fresh_database() as other, gate_to(other) as gate:
        documents = [secret(gate.url, name="slow"), secret(database_url), task_queue("slow", secret="slow"), task_queue("naps")]
        operator = stage.operator(stage.write("queue.yaml", *documents))
        operator.wait_until(lambda: len(operator.said("database.lead_taken")) == 2)
        gate.turn(Mode.STUCK)
        enqueue(database_url, 200)
        operator.wait_until(lambda: counts(connection)["succeeded"] == 200, within=60)
        operator.wait_for("queue.event", reason="DatabaseUnreachable", task_queue="default/slow")
        gate.turn(Mode.OPEN)
        operator.wait_for("queue.event", reason="DatabaseRecovered", task_queue="default/slow")
        operator.process.send(signal.SIGTERM)
        operator.process.wait()

    assert not operator.said("queue.event", reason="DatabaseUnreachable", task_queue="default/naps")


@pytest.mark.requirement("A2")
def test_database_outage_keeps_the_workers(stage: Stage, database_url: str, connection: "psycopg.Connection[Any]") -> None:
    with gate_to(database_url) as gate:
        workers_see = {"TASKFLEET_DATABASE_URL": database_url}
        end = stage.folder / "end"
        operator = stage.operator(stage.write("queue.yaml", secret(gate.url), task_queue("naps", environment=workers_see)))
        with Producer(database_url, queue="naps") as producer:
            producer.enqueue_many([NewTask(kind="until", payload={"file": str(end)}) for _ in range(2)])
        operator.wait_until(lambda: counts(connection)["running"] == 2)
        before = {worker.pid for worker in operator.workers()}
        gate.turn(Mode.SHUT)
        operator.wait_for("queue.event", reason="DatabaseUnreachable")
        end.touch()
        operator.wait_until(lambda: counts(connection)["succeeded"] == 2)
        during = {worker.pid for worker in operator.workers()}
        gate.turn(Mode.OPEN)
        operator.wait_for("queue.event", reason="DatabaseRecovered")
        operator.process.send(signal.SIGTERM)
        operator.process.wait()

    assert during == before
    assert not operator.said("worker.crashed")


def test_missing_schema_names_the_command_that_makes_it(stage: Stage, empty_database_url: str) -> None:
    operator = stage.operator(stage.write("queue.yaml", secret(empty_database_url), task_queue("naps")))

    told = operator.wait_for("condition.changed", condition="Ready", reason="SchemaMissing")

    assert "run `taskfleet migrate up`" in told["note"]


def test_operator_with_the_right_to_migrate_brings_the_schema_itself(stage: Stage, empty_database_url: str) -> None:
    database = {"secretRef": {"name": "db"}, "migrate": {"secretRef": {"name": "db"}}}
    operator = stage.operator(stage.write("queue.yaml", secret(empty_database_url), task_queue("naps", database=database)))

    operator.wait_for("condition.changed", condition="Ready", status="True")

    assert operator.said("database.migrating")


def test_missing_secret_names_what_to_add(stage: Stage) -> None:
    operator = stage.operator(stage.write("queue.yaml", task_queue("naps")), TASKFLEET_DATABASE_URL="")

    told = operator.wait_for("condition.changed", condition="Ready", reason="SecretMissing")

    assert "no file holds Secret default/db with key 'uri', and TASKFLEET_DATABASE_URL is not set" in told["note"]


def test_database_of_the_environment_serves_a_task_queue_that_names_none(stage: Stage, database_url: str) -> None:
    without = task_queue("naps")
    del without["spec"]["database"]
    operator = stage.operator(stage.write("queue.yaml", without), TASKFLEET_DATABASE_URL=database_url)

    operator.wait_for("database.lead_taken")


def test_workers_that_cannot_start_are_told_with_their_last_words_and_not_started_in_a_storm(stage: Stage, database_url: str) -> None:
    bad = task_queue("naps", scaling={"minReplicas": 3, "maxReplicas": 3})
    bad["spec"]["worker"]["template"]["spec"]["containers"][0]["args"] = ["--tasks", "no_such_module"]
    operator = stage.operator(stage.write("queue.yaml", secret(database_url), bad), TASKFLEET_OPERATOR_LOCAL_RESTART_SECONDS="2")
    operator.wait_until(lambda: len(operator.said("worker.crashed")) >= 4, within=60)
    started = len(operator.said("worker.started"))
    told = operator.wait_for("queue.event", reason="WorkersFailing")

    stage.write("queue.yaml", secret(database_url), task_queue("naps", scaling=ONE))
    operator.wait_for("queue.event", reason="WorkersRecovered")

    assert "no_such_module" in told["note"]
    assert started <= 5


def test_crashed_worker_is_replaced(stage: Stage, database_url: str) -> None:
    operator = stage.operator(stage.write("queue.yaml", secret(database_url), task_queue("naps", scaling=ONE)))
    operator.wait_until(operator.workers)
    (victim,) = operator.workers()
    victim.send_signal(signal.SIGKILL)

    told = operator.wait_for("worker.crashed")
    wait_until(lambda: [worker for worker in operator.workers() if worker.pid != victim.pid], within=20)

    assert told["exit_code"] == -signal.SIGKILL


def test_program_that_is_not_installed_is_told(stage: Stage, database_url: str) -> None:
    bad = task_queue("naps", scaling=ONE)
    bad["spec"]["worker"]["template"]["spec"]["containers"][0]["command"] = ["no-such-program"]
    operator = stage.operator(stage.write("queue.yaml", secret(database_url), bad))

    told = operator.wait_for("condition.changed", condition="WorkersAvailable", status="False")

    assert "the workers' program 'no-such-program' is not there: install it" in told["note"]


def test_second_signal_hastens_the_end(stage: Stage, database_url: str, connection: "psycopg.Connection[Any]") -> None:
    operator = stage.operator(stage.write("queue.yaml", secret(database_url), task_queue("naps", scaling=ONE)))
    enqueue(database_url, 1, seconds=600)
    operator.wait_until(lambda: counts(connection)["running"] == 1)
    workers = operator.workers()
    operator.process.send(signal.SIGTERM)
    operator.wait_for("operator.stopping")

    operator.process.send(signal.SIGTERM)
    code = operator.process.wait(within=15)

    assert code == 0
    assert not any(psutil.pid_exists(worker.pid) for worker in workers)
