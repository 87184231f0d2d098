from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from taskfleet_operator.cluster import Cluster
from taskfleet_operator.errors import (
    ClusterRefusedError,
    ClusterUnreachableError,
    ObjectConflictError,
    ObjectInvalidError,
    ObjectMissingError,
)
from taskfleet_operator.objects import PODS, DeploymentSeen, EventNote, EventType, ObjectKey, ObjectKind, PodSeen, read_pod
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fixtures import Namespace
from tests.cluster.waiting import until
from tests.integration.kubernetes.stage import task_queue

CONFIG_MAPS = ObjectKind(api_version="v1", kind="ConfigMap", plural="configmaps")


def deployment(namespace: Namespace, *, replicas: int = 0, **template_annotations: str) -> dict[str, Any]:
    labels = {"app": "work"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "work", "namespace": namespace.name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {
                    "labels": labels,
                    "annotations": {f"test.taskfleet.dev/{name.replace('_', '-')}": value for name, value in template_annotations.items()},
                },
                "spec": {"containers": [{"name": "worker", "image": "worker:1"}]},
            },
        },
    }


async def pods(cluster: Cluster, namespace: Namespace) -> tuple[PodSeen, ...]:
    return tuple(read_pod(each) for each in await cluster.list(PODS, namespace=namespace.name, labels="app=work"))


async def settled(cluster: Cluster, key: ObjectKey, *, ready: int) -> DeploymentSeen:
    seen: list[DeploymentSeen] = []

    async def look() -> bool:
        found = await cluster.deployment(key)
        assert found is not None
        seen.append(found)
        return found.ready == found.existing == ready and not found.rolling

    await until(look)
    return seen[-1]


async def scale(cluster: Cluster, key: ObjectKey, replicas: int) -> None:
    """Scale from what is there now; controllers write the Deployment's status all the time, so a version may be old at once."""

    async def scaled() -> bool:
        found = await cluster.deployment(key)
        assert found is not None
        with suppress(ObjectConflictError):
            await cluster.scale_deployment(key, replicas=replicas, resource_version=found.resource_version)
            return True
        return False

    await until(scaled)


async def test_a_deployment_that_is_not_there_is_none(cluster: Cluster, namespace: Namespace) -> None:
    found = await cluster.deployment(ObjectKey(namespace=namespace.name, name="work"))

    assert found is None


async def test_an_applied_deployment_is_scaled_through_its_subresource(cluster: Cluster, namespace: Namespace) -> None:
    applied = await cluster.apply_deployment(deployment(namespace))
    await scale(cluster, applied.key, 3)

    found = await settled(cluster, applied.key, ready=3)
    running = await pods(cluster, namespace)

    assert (applied.replicas, found.replicas, found.selector) == (0, 3, "app=work")
    assert all(pod.ready and pod.startup_seconds is not None and not pod.terminating for pod in running)


async def test_a_scale_over_an_old_version_is_refused(cluster: Cluster, namespace: Namespace) -> None:
    applied = await cluster.apply_deployment(deployment(namespace))
    await scale(cluster, applied.key, 1)

    with pytest.raises(ObjectConflictError):
        await cluster.scale_deployment(applied.key, replicas=2, resource_version=applied.resource_version)


async def test_an_apply_over_an_old_version_is_refused_and_undoes_no_scale(cluster: Cluster, namespace: Namespace) -> None:
    applied = await cluster.apply_deployment(deployment(namespace))
    await scale(cluster, applied.key, 2)
    stale = deployment(namespace)
    stale["metadata"]["resourceVersion"] = applied.resource_version

    with pytest.raises(ObjectConflictError):
        await cluster.apply_deployment(stale)

    found = await cluster.deployment(applied.key)
    assert found is not None
    assert found.replicas == 2


async def test_what_an_apply_no_longer_names_goes_away(cluster: Cluster, namespace: Namespace) -> None:
    first = deployment(namespace)
    first["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "OLD", "value": "1"}]
    await cluster.apply_deployment(first)

    await cluster.apply_deployment(deployment(namespace))

    container = namespace.get("deployment", "work")["spec"]["template"]["spec"]["containers"][0]
    assert "env" not in container


async def test_what_kubernetes_refuses_is_said_in_its_words(cluster: Cluster, namespace: Namespace) -> None:
    broken = deployment(namespace)
    broken["spec"]["template"]["spec"]["containers"][0]["image"] = ""

    with pytest.raises(ObjectInvalidError, match=r"spec\.template\.spec\.containers\[0\]\.image: Required value"):
        await cluster.apply_deployment(broken)


async def test_a_rollout_shows_as_rolling(cluster: Cluster, namespace: Namespace) -> None:
    applied = await cluster.apply_deployment(deployment(namespace, replicas=2))
    await settled(cluster, applied.key, ready=2)

    # The new pods never start, so the rollout stands still.
    await cluster.apply_deployment(deployment(namespace, replicas=2, start_seconds="never"))

    async def rolling() -> bool:
        found = await cluster.deployment(applied.key)
        return found is not None and found.rolling and found.observed_generation == found.generation

    await until(rolling)


async def test_the_cheapest_ready_pod_goes_first(cluster: Cluster, namespace: Namespace) -> None:
    applied = await cluster.apply_deployment(deployment(namespace, replicas=3))
    await settled(cluster, applied.key, ready=3)
    cheap = (await pods(cluster, namespace))[1]
    await cluster.set_deletion_cost(cheap.key, cost=-100)

    async def seen() -> bool:
        return any(pod.deletion_cost == -100 for pod in await pods(cluster, namespace))

    await until(seen)
    await scale(cluster, applied.key, 2)
    await settled(cluster, applied.key, ready=2)

    async def gone() -> bool:
        return cheap.uid not in {pod.uid for pod in await pods(cluster, namespace)}

    await until(gone)


async def test_a_pod_that_is_not_ready_goes_before_a_cheap_one(cluster: Cluster, namespace: Namespace) -> None:
    """Why replicas are never lowered while a pod that is not ready holds a lease: cost cannot save it."""
    applied = await cluster.apply_deployment(deployment(namespace, replicas=2))
    await settled(cluster, applied.key, ready=2)
    cheap, unready = await pods(cluster, namespace)
    await cluster.set_deletion_cost(cheap.key, cost=-100)
    namespace.kubectl("annotate", "pod", unready.key.name, "test.taskfleet.dev/ready=false")

    async def not_ready() -> bool:
        return sorted(pod.ready for pod in await pods(cluster, namespace)) == [False, True]

    await until(not_ready)
    await scale(cluster, applied.key, 1)

    async def survivors() -> bool:
        return [pod.uid for pod in await pods(cluster, namespace)] == [cheap.uid]

    await until(survivors)


async def test_why_pods_cannot_be_made_is_read_off_the_deployment(cluster: Cluster, namespace: Namespace) -> None:
    namespace.kubectl("label", "namespace", namespace.name, "pod-security.kubernetes.io/enforce=restricted")
    applied = await cluster.apply_deployment(deployment(namespace, replicas=1))

    async def failed() -> bool:
        found = await cluster.deployment(applied.key)
        return found is not None and "violates PodSecurity" in (found.failure or "")

    await until(failed)


async def test_a_pod_that_nobody_can_place_says_why(cluster: Cluster, namespace: Namespace) -> None:
    wanting = deployment(namespace, replicas=1)
    wanting["spec"]["template"]["spec"]["nodeSelector"] = {"gpu": "yes"}
    await cluster.apply_deployment(wanting)

    async def told() -> bool:
        return any("Unschedulable: 0/3 nodes are available" in (pod.waiting or "") for pod in await pods(cluster, namespace))

    await until(told)


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        pytest.param("nowhere", "uri", 'secrets "nowhere" not found', id="a Secret that is not there"),
        pytest.param("database", "url", r"has no key 'url', only \['uri'\]", id="a key that is not in it"),
    ],
)
async def test_a_missing_secret_is_named(cluster: Cluster, namespace: Namespace, name: str, key: str, expected: str) -> None:
    namespace.kubectl("create", "secret", "generic", "database", "--from-literal=uri=postgresql://somewhere/db")

    with pytest.raises(ObjectMissingError, match=expected):
        await cluster.secret_value(ObjectKey(namespace=namespace.name, name=name), key=key)


async def test_a_secret_is_read_by_name_without_its_line_end(cluster: Cluster, namespace: Namespace) -> None:
    namespace.kubectl("create", "secret", "generic", "database", "--from-literal=uri=postgresql://somewhere/db\n")

    value = await cluster.secret_value(ObjectKey(namespace=namespace.name, name="database"), key="uri")

    assert value == "postgresql://somewhere/db"


async def test_a_secret_that_is_no_text_is_refused_without_showing_it(cluster: Cluster, namespace: Namespace) -> None:
    namespace.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "binary"}, "data": {"uri": "//79"}})

    with pytest.raises(ObjectInvalidError, match="key 'uri': not text"):
        await cluster.secret_value(ObjectKey(namespace=namespace.name, name="binary"), key="uri")


async def test_a_status_is_replaced_as_a_whole(cluster: Cluster, namespace: Namespace) -> None:
    namespace.apply(task_queue())
    key = ObjectKey(namespace=namespace.name, name="work")
    await cluster.apply_status(key, {"observedGeneration": 1, "replicas": 3, "oldestReadySeconds": 1.5})

    await cluster.apply_status(key, {"observedGeneration": 1, "replicas": 4})

    assert namespace.get("taskqueue", "work")["status"] == {"observedGeneration": 1, "replicas": 4}


async def test_a_status_of_nothing_is_refused(cluster: Cluster, namespace: Namespace) -> None:
    with pytest.raises(ObjectMissingError):
        await cluster.apply_status(ObjectKey(namespace=namespace.name, name="deleted"), {"replicas": 4})


async def test_an_event_is_shown_by_describe(cluster: Cluster, namespace: Namespace) -> None:
    namespace.kubectl("create", "configmap", "work")
    uid = namespace.get("configmap", "work")["metadata"]["uid"]
    key = ObjectKey(namespace=namespace.name, name="work")
    note = "from 0 to 3 workers: " + "x" * 2000

    await cluster.record_event(
        EventNote(key=key, uid=uid, kind=CONFIG_MAPS, type=EventType.WARNING, reason="Scaled", action="Scale", note=note)
    )

    described = namespace.kubectl("describe", "configmap", "work")
    assert "Warning  Scaled" in described
    assert note[:1024] in described
    assert note[:1025] not in described


async def test_a_watch_shows_what_is_there_then_each_change(cluster: Cluster, namespace: Namespace) -> None:
    namespace.kubectl("create", "configmap", "first", "--from-literal=a=1")
    seen: list[tuple[bool, list[str], list[str]]] = []

    def names(manifests: tuple[Mapping[str, Any], ...]) -> list[str]:
        return [each["metadata"]["name"] for each in manifests if each["metadata"]["name"] != "kube-root-ca.crt"]

    async for sighting in cluster.watch(CONFIG_MAPS, namespace=namespace.name):
        if sighting.everything:
            namespace.kubectl("label", "configmap", "first", "team=work")
            namespace.kubectl("delete", "configmap", "first")
        seen.append((sighting.everything, names(sighting.present), names(sighting.gone)))
        if sighting.gone:
            break

    assert seen == [(True, ["first"], []), (False, ["first"], []), (False, [], ["first"])]


async def test_an_api_server_that_does_not_answer_is_unreachable(
    cluster: Cluster, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskfleet_operator.cluster.REQUEST_SECONDS", 0.2)
    control_plane.pause_api_server()

    try:
        with pytest.raises(ClusterUnreachableError, match="did not answer GET /api/v1/pods"):
            await cluster.list(PODS)
    finally:
        control_plane.resume_api_server()


async def test_a_port_where_nobody_listens_is_unreachable(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = control_plane.kubeconfig.read_text().replace(control_plane.url, "https://127.0.0.1:1")
    (tmp_path / "kubeconfig").write_text(config)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))

    async with await Cluster.connect() as nowhere:
        with pytest.raises(ClusterUnreachableError, match="did not answer"):
            await nowhere.list(PODS)


async def test_no_configuration_at_all_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))

    with pytest.raises(ClusterUnreachableError, match="set KUBECONFIG, or run in a pod"):
        await Cluster.connect()


async def test_what_the_role_lacks_is_refused_with_the_verb(
    control_plane: ControlPlane, namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace.kubectl("create", "serviceaccount", "nobody")
    token = namespace.kubectl("create", "token", "nobody").strip()
    monkeypatch.setenv("KUBECONFIG", str(control_plane.write_kubeconfig(tmp_path / "kubeconfig", token=token)))

    async with await Cluster.connect() as nobody:
        with pytest.raises(ClusterRefusedError, match=r'cannot list resource "pods".*operator\'s Role'):
            await nobody.list(PODS, namespace=namespace.name)


async def test_a_pod_without_a_service_account_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")

    with pytest.raises(ClusterUnreachableError, match=r"token file does not exist.*run in a pod with a service account"):
        await Cluster.connect()
