from typing import Any

import pytest

from taskfleet_operator.objects import (
    DELETION_COST,
    DEPLOYMENTS,
    PODS,
    TASK_QUEUES,
    DeploymentSeen,
    ObjectKey,
    read_deployment,
    read_lease,
    read_pod,
    read_time,
)

CREATED = "2026-01-01T10:00:00Z"
READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T10:00:12Z"}


def pod(*, status: dict[str, Any] | None = None, **metadata: object) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "work", "name": "p1", "uid": "u1", "creationTimestamp": CREATED, **metadata},
        "spec": {},
        **({} if status is None else {"status": status}),
    }


def deployment(*, generation: int = 1, observed: int = 1, replicas: int = 2, existing: int = 2, updated: int = 2) -> DeploymentSeen:
    return read_deployment(
        {
            "metadata": {"namespace": "work", "name": "d", "uid": "u1", "resourceVersion": "7", "generation": generation},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"b": "2", "a": "1"}}},
            "status": {"observedGeneration": observed, "replicas": existing, "updatedReplicas": updated},
        }
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param(PODS.path(), "/api/v1/pods", id="the core group, all namespaces"),
        pytest.param(PODS.path(namespace="work", name="p1"), "/api/v1/namespaces/work/pods/p1", id="one object"),
        pytest.param(
            DEPLOYMENTS.path(namespace="work", name="d", subresource="scale"),
            "/apis/apps/v1/namespaces/work/deployments/d/scale",
            id="a subresource",
        ),
        pytest.param(TASK_QUEUES.path(namespace="work"), "/apis/taskfleet.dev/v1alpha1/namespaces/work/taskqueues", id="a namespace"),
    ],
)
def test_path(path: str, expected: str) -> None:
    assert path == expected


def test_a_pod_that_was_just_created_is_pending() -> None:
    seen = read_pod(pod())

    assert (seen.key, seen.phase, seen.ready, seen.startup_seconds) == (ObjectKey(namespace="work", name="p1"), "Pending", False, None)


def test_a_ready_pod_tells_how_long_it_took() -> None:
    seen = read_pod(pod(status={"phase": "Running", "conditions": [READY]}))

    assert (seen.ready, seen.startup_seconds) == (True, 12.0)


def test_a_pod_that_is_being_deleted_is_terminating() -> None:
    seen = read_pod(pod(deletionTimestamp=CREATED, status={"phase": "Running", "conditions": [READY]}))

    assert seen.terminating


@pytest.mark.parametrize(("text", "expected"), [("-100", -100), ("0", 0), ("cheap", 0)])
def test_deletion_cost(text: str, expected: int) -> None:
    seen = read_pod(pod(annotations={DELETION_COST: text}))

    assert seen.deletion_cost == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({}, None, id="nothing is known yet"),
        pytest.param(
            {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]},
            "ImagePullBackOff: no such image",
            id="a container cannot start",
        ),
        pytest.param(
            {
                "initContainerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
                "containerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}],
            },
            "CrashLoopBackOff",
            id="an init container comes first",
        ),
        pytest.param({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}, None, id="being made is no fault"),
        pytest.param(
            {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]},
            "Unschedulable: 0/3 nodes",
            id="no node takes it",
        ),
        pytest.param({"conditions": [READY]}, None, id="a ready pod waits for nothing"),
    ],
)
def test_why_a_pod_waits(status: dict[str, Any], expected: str | None) -> None:
    seen = read_pod(pod(status=status))

    assert seen.waiting == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(deployment(), False, id="all pods are of the newest template"),
        pytest.param(deployment(generation=2), True, id="the controller has not looked yet"),
        pytest.param(deployment(existing=3, updated=1), True, id="old pods are still there"),
        pytest.param(deployment(replicas=5), False, id="growing is no rollout"),
        pytest.param(deployment(replicas=0, existing=0, updated=0), False, id="an empty fleet does not roll"),
    ],
)
def test_rolling(seen: DeploymentSeen, expected: bool) -> None:
    assert seen.rolling is expected


def test_the_selector_reads_as_the_scale_subresource_prints_it() -> None:
    assert deployment().selector == "a=1,b=2"


def test_why_pods_cannot_be_made_is_kept() -> None:
    seen = read_deployment(
        {
            "metadata": {"namespace": "work", "name": "d", "uid": "u1", "resourceVersion": "7", "generation": 1},
            "spec": {"replicas": 1, "selector": {}},
            "status": {
                "conditions": [
                    {"type": "Available", "status": "False", "message": "not this"},
                    {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"},
                ]
            },
        }
    )

    assert seen.failure == "exceeded quota"


def test_a_lease_nobody_wrote_yet_has_no_holder() -> None:
    seen = read_lease({"metadata": {"resourceVersion": "7"}})

    assert (seen.holder, seen.duration_seconds) == (None, 0)


def test_no_time_is_none() -> None:
    assert read_time(None) is None
