import sys
from pathlib import Path
from typing import Any

import pytest

from taskfleet_operator.errors import SpecInvalidError, WorkerTemplateError
from taskfleet_operator.local.launch import Launch, found_program, launch_of
from tests.unit.operator.facts import task_queue

TARGET = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "mine"}}


def launch(**container: Any) -> Launch:
    return launch_with(containers=[{"name": "sidecar"}, {"name": "worker", **container}])


def launch_with(**pod: Any) -> Launch:
    queue = task_queue(
        worker={"concurrency": 8, "leaseSeconds": 30, "drainSeconds": 5, "template": {"spec": pod}},
        kinds=[{"name": "a", "timeoutSeconds": 20}],
    )
    return launch_of(queue, database_url="postgresql://x", schema="taskfleet")


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        pytest.param({}, ("taskfleet-worker", "run"), id="what the worker image starts"),
        pytest.param({"args": ["--tasks", "a"]}, ("taskfleet-worker", "run", "--tasks", "a"), id="arguments follow it"),
        pytest.param({"args": ["run", "--tasks", "a"]}, ("taskfleet-worker", "run", "--tasks", "a"), id="arguments may repeat its command"),
        pytest.param({"command": ["mine"], "args": ["b"]}, ("mine", "b"), id="a command of one's own"),
    ],
)
def test_command_is_the_containers(container: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert launch(**container).command == expected


def test_worker_is_told_its_queue_and_what_the_template_says_wins() -> None:
    made = launch(
        env=[{"name": "TASKFLEET_QUEUE", "value": "other"}, {"name": "COLOUR", "value": "green"}, {"name": "EMPTY"}], workingDir="/srv"
    )

    assert made.environment == {
        "TASKFLEET_DATABASE_URL": "postgresql://x",
        "TASKFLEET_SCHEMA": "taskfleet",
        "TASKFLEET_QUEUE": "other",
        "TASKFLEET_CONCURRENCY": "8",
        "TASKFLEET_LEASE_SECONDS": "30",
        "TASKFLEET_DRAIN_SECONDS": "20",
        "COLOUR": "green",
        "EMPTY": "",
    }
    assert (made.folder, made.grace_seconds) == ("/srv", 20)


def test_environment_of_the_operator_is_inherited_but_for_its_own_settings() -> None:
    made = launch(env=[{"name": "TASKFLEET_WORKER_ID", "value": "mine"}])

    everything = made.inherited(
        {"PATH": "/bin", "TASKFLEET_OPERATOR_TICK_SECONDS": "1"}, TASKFLEET_WORKER_ID="given", TASKFLEET_POD_UID="u"
    )

    assert {"PATH": "/bin", "TASKFLEET_WORKER_ID": "mine", "TASKFLEET_POD_UID": "u"}.items() <= everything.items()
    assert "TASKFLEET_OPERATOR_TICK_SECONDS" not in everything


def test_revision_changes_with_what_is_run_and_with_nothing_else() -> None:
    same = launch().revision == launch().revision
    other = {
        launch().revision,
        launch(args=["x"]).revision,
        launch(env=[{"name": "A", "value": "b"}]).revision,
        launch(workingDir="/").revision,
    }

    assert (same, len(other)) == (True, 4)


def test_secrets_are_not_shown() -> None:
    assert "postgresql" not in repr(launch())


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        pytest.param({"envFrom": [{}]}, "media/episodes: envFrom needs a cluster; locally give each variable a value", id="envFrom"),
        pytest.param({"env": [{"name": "A", "valueFrom": {}}]}, "A has a valueFrom, which needs a cluster", id="valueFrom"),
        pytest.param({"args": [1]}, "command and args of the container `worker` must be lists of text", id="arguments that are no text"),
    ],
)
def test_what_a_machine_cannot_give_is_told(container: dict[str, Any], expected: str) -> None:
    with pytest.raises(WorkerTemplateError, match=expected):
        launch(**container)


def test_target_of_a_cluster_is_told() -> None:
    with pytest.raises(
        WorkerTemplateError, match=r"spec\.worker\.targetRef names an object of a cluster; locally use spec\.worker\.template"
    ):
        launch_of(task_queue(worker=TARGET), database_url="", schema="taskfleet")


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param({}, "found no list of containers, allowed: a list with a container named worker", id="no containers"),
        pytest.param({"containers": []}, "found no container, allowed: a container named worker among them", id="an empty list"),
        pytest.param({"containers": [{"name": "a"}, {}]}, "found a, None, allowed: a container named worker", id="another container"),
        pytest.param({"containers": [{"name": "worker", "env": {}}]}, r"", id="no environment"),
        pytest.param(
            {"containers": [{"name": "worker", "env": [{"value": "x"}]}]},
            r"containers\[0\]\.env: found something else, allowed: a list of objects with name and value",
            id="a variable without a name",
        ),
    ],
)
def test_template_without_a_worker_is_told_with_its_path(pod: dict[str, Any], expected: str) -> None:
    if not expected:
        assert launch_with(**pod).command
        return
    with pytest.raises(SpecInvalidError, match=expected):
        launch_with(**pod)


def test_program_is_found_on_the_path_or_beside_python(tmp_path: Path) -> None:
    program = tmp_path / "mine"
    program.touch(mode=0o755)

    assert found_program(["mine"], path=str(tmp_path)) == str(program)
    assert found_program(["python"], path=None) == str(Path(sys.executable).parent / "python")
    with pytest.raises(WorkerTemplateError, match="the workers' program 'nothing' is not there: install it, or name another"):
        found_program(["nothing"], path=str(tmp_path))
