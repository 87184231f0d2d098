from typing import Any

import pytest
import yaml

from taskfleet_operator.api.task_queue import TaskQueue
from taskfleet_operator.errors import SpecInvalidError
from taskfleet_operator.resources.deployment import deployment_manifest, fingerprint, with_live
from taskfleet_operator.resources.names import selector_labels
from tests.support.golden import assert_golden
from tests.unit.operator.facts import task_queue


def queue(*, kinds: list[dict[str, Any]] | None = None, pod: dict[str, Any] | None = None, **container: Any) -> TaskQueue:
    spec = {"containers": [{"name": "worker", "image": "shop:1", **container}], **(pod or {})}
    worker = {"concurrency": 8, "leaseSeconds": 60, "drainSeconds": 30, "template": {"spec": spec}}
    return task_queue(queue="films", worker=worker, kinds=kinds or [])


def manifest(made: TaskQueue) -> dict[str, Any]:
    return deployment_manifest(made, schema="taskfleet")


def pod(made: TaskQueue) -> dict[str, Any]:
    spec: dict[str, Any] = manifest(made)["spec"]["template"]["spec"]
    return spec


def worker(made: TaskQueue) -> dict[str, Any]:
    return next(container for container in pod(made)["containers"] if container["name"] == "worker")


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("minimal", queue()),
        (
            "everything-set",
            task_queue(
                worker={
                    "template": {
                        "metadata": {"labels": {"team": "media"}, "annotations": {"note": "mine"}},
                        "spec": {
                            "terminationGracePeriodSeconds": 7,
                            "automountServiceAccountToken": True,
                            "securityContext": {"runAsNonRoot": False, "fsGroup": 5},
                            "volumes": [{"name": "cache", "emptyDir": {}}],
                            "containers": [
                                {"name": "sidecar", "image": "proxy:1"},
                                {
                                    "name": "worker",
                                    "image": "shop:1",
                                    "args": ["run", "--tasks", "shop"],
                                    "env": [
                                        {"name": "TASKFLEET_HTTP_PORT", "value": "9000"},
                                        {"name": "TASKFLEET_DRAIN_SECONDS", "value": "3"},
                                        {"name": "COLOUR", "value": "green"},
                                    ],
                                    "ports": [{"name": "debug", "containerPort": 5678}],
                                    "livenessProbe": {"exec": {"command": ["true"]}},
                                    "securityContext": {"readOnlyRootFilesystem": True},
                                    "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
                                },
                            ],
                        },
                    }
                }
            ),
        ),
    ],
)
def test_deployment_looks_as_it_was_last_read(name: str, made: TaskQueue) -> None:
    assert_golden(f"operator/deployment-{name}.yaml", yaml.safe_dump(manifest(made), sort_keys=False, width=140))


def test_grace_is_as_long_as_the_longest_task_may_run() -> None:
    made = queue(kinds=[{"name": "a", "timeoutSeconds": 900}, {"name": "b"}])

    assert pod(made)["terminationGracePeriodSeconds"] == 900
    assert {"name": "TASKFLEET_DRAIN_SECONDS", "value": "900"} in worker(made)["env"]


def test_probes_ask_where_the_worker_answers() -> None:
    made = queue(env=[{"name": "TASKFLEET_HTTP_PORT", "value": "9000"}])

    assert {"name": "taskfleet", "containerPort": 9000} in worker(made)["ports"]


def test_port_that_is_only_known_in_the_cluster_is_left_to_the_default() -> None:
    made = queue(env=[{"name": "TASKFLEET_HTTP_PORT", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}])

    assert {"name": "taskfleet", "containerPort": 8080} in worker(made)["ports"]


def test_users_own_values_stay_one_by_one() -> None:
    made = queue(pod={"securityContext": {"runAsUser": 7}}, securityContext={"capabilities": {"add": ["NET_BIND_SERVICE"]}})

    assert pod(made)["securityContext"] == {"runAsUser": 7, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert worker(made)["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"add": ["NET_BIND_SERVICE"]}}


def test_volume_of_the_same_name_is_the_users() -> None:
    mine = {"name": "taskfleet-database", "emptyDir": {}}

    assert pod(queue(pod={"volumes": [mine]}))["volumes"] == [mine]


def test_building_changes_nothing_of_the_task_queue() -> None:
    made = queue()
    first, second = manifest(made), manifest(made)

    assert first == second
    assert made.spec.worker.template == queue().spec.worker.template


def test_selector_is_among_the_labels_of_the_pods() -> None:
    made = queue()

    assert selector_labels(made).items() <= manifest(made)["spec"]["template"]["metadata"]["labels"].items()


def test_live_replicas_and_version_are_carried() -> None:
    made = manifest(queue())

    carried = with_live(made, replicas=7, resource_version="12")
    created = with_live(made, replicas=0, resource_version=None)

    assert (carried["spec"]["replicas"], carried["metadata"]["resourceVersion"]) == (7, "12")
    assert (created["spec"]["replicas"], "resourceVersion" in created["metadata"]) == (0, False)
    assert "replicas" not in made["spec"]


def test_fingerprint_tells_manifests_apart() -> None:
    assert fingerprint(manifest(queue())) == fingerprint(manifest(queue()))
    assert fingerprint(manifest(queue())) != fingerprint(manifest(queue(image="shop:2")))


def test_template_without_a_worker_is_refused() -> None:
    with pytest.raises(SpecInvalidError, match=r"spec\.worker\.template\.spec\.containers: found a, allowed: a container named worker"):
        manifest(task_queue(worker={"template": {"spec": {"containers": [{"name": "a"}]}}}))
