"""The operator follows TaskQueues: what it makes of them, how they change and go, and what one in trouble says."""

import asyncio
from typing import Any

import pytest

import taskfleet
from tests.cluster.waiting import until
from tests.integration.kubernetes.stage import Stage, secret, task_queue


async def test_the_deployment_is_owned_and_complete(stage: Stage) -> None:
    stage.start_operator()
    await stage.apply(secret(stage.database_url), task_queue(kinds=[{"name": "slow", "timeoutSeconds": 900}]))

    seen = await stage.queue().has(lambda seen: seen.deployment)

    pod = seen.deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    (owner,) = seen.deployment["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("TaskQueue", "work", True)
    assert (environment["TASKFLEET_QUEUE"], environment["TASKFLEET_CONCURRENCY"]) == ("work", "2")
    assert pod["terminationGracePeriodSeconds"] >= 900
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert stage.database_url not in str(seen.deployment)


async def test_workers_may_run_where_pods_are_restricted(stage: Stage) -> None:
    await asyncio.to_thread(
        stage.namespace.kubectl, "label", "namespace", stage.namespace.name, "pod-security.kubernetes.io/enforce=restricted"
    )
    stage.start_operator()
    await stage.apply(secret(stage.database_url), task_queue(scaling={"minReplicas": 1}))

    await stage.queue().has(lambda seen: seen.deployment.get("status", {}).get("readyReplicas") == 1)


async def test_spec_changes_are_followed_and_leave_the_replicas_alone(stage: Stage) -> None:
    stage.start_operator()
    await stage.apply(secret(stage.database_url), task_queue(scaling={"minReplicas": 2}))
    queue = stage.queue()

    async with stage.workers(), stage.replicas_seen() as replicas:
        await queue.has(lambda seen: seen.status.get("readyReplicas") == 2)
        await stage.apply(task_queue(image="worker:2", scaling={"minReplicas": 2}))
        await queue.has(lambda seen: seen.image == "worker:2" and seen.status["observedGeneration"] == 2)
        during_rollout = list(replicas)
        await stage.apply(task_queue(image="worker:2", scaling={"minReplicas": 3}))
        await queue.has(lambda seen: seen.replicas == 3 and seen.status["observedGeneration"] == 3)

    assert set(during_rollout) <= {0, 2}
    assert during_rollout[-1:] == [2]


async def test_deletion_takes_the_workers_and_leaves_the_tasks(stage: Stage) -> None:
    stage.start_operator()
    await stage.apply(secret(stage.database_url), task_queue(scaling={"minReplicas": 1}))
    await stage.queue().has(lambda seen: seen.replicas == 1)
    await stage.enqueue(1)

    await asyncio.to_thread(stage.namespace.kubectl, "delete", "taskqueue", "work")

    async def gone() -> bool:
        namespace = stage.namespace.name
        deployments = await stage.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments")
        pods = await stage.api.get(f"/api/v1/namespaces/{namespace}/pods")
        return not deployments["items"] and not pods["items"]

    await until(gone)
    async with taskfleet.AsyncProducer(stage.database_url, queue="work") as producer:
        assert await producer.length() == 1


@pytest.mark.parametrize(
    ("manifests", "reason", "told"),
    [
        pytest.param([], "SecretMissing", "missing", id="no Secret"),
        pytest.param(
            [secret("postgresql://nobody:hidden@127.0.0.1:1/none", "missing")], "DatabaseUnreachable", "127.0.0.1:1", id="no database"
        ),
        pytest.param([secret("not a URL", "missing")], "SecretMissing", "no connection URL", id="no URL in the Secret"),
    ],
)
async def test_a_queue_in_trouble_says_so_and_harms_no_other(stage: Stage, manifests: list[dict[str, Any]], reason: str, told: str) -> None:
    stage.start_operator()
    broken, sound = stage.queue("broken"), stage.queue("sound")
    await stage.apply(*manifests, task_queue("broken", secret="missing"))
    await stage.apply(secret(stage.database_url), task_queue("sound", scaling={"minReplicas": 1}))

    found = await broken.becomes("DatabaseReachable", "False", reason=reason)
    await broken.becomes("Ready", "False")
    await sound.becomes("Ready", "True")
    await sound.has(lambda seen: seen.replicas == 1)

    assert told in found["message"]
    assert "hidden" not in str(await broken.look())


async def test_what_kubernetes_refuses_of_the_template_is_said_in_its_words(stage: Stage) -> None:
    stage.start_operator()
    await stage.apply(secret(stage.database_url), task_queue("broken", image=""), task_queue("sound"))

    found = await stage.queue("broken").becomes("Ready", "False", reason="SpecInvalid")
    await stage.queue("sound").becomes("Ready", "True")

    assert "image: Required value" in found["message"]


async def test_a_secret_that_comes_later_heals_the_queue(stage: Stage) -> None:
    stage.start_operator()
    await stage.apply(task_queue())
    await stage.queue().becomes("DatabaseReachable", "False", reason="SecretMissing")

    await stage.apply(secret(stage.database_url))

    await stage.queue().becomes("Ready", "True")


async def test_a_pod_that_cannot_start_is_told_with_its_own_words(stage: Stage) -> None:
    stage.start_operator()
    unplaceable = {"spec": {"nodeSelector": {"gpu": "yes"}, "containers": [{"name": "worker", "image": "worker:1"}]}}
    await stage.apply(secret(stage.database_url), task_queue(scaling={"minReplicas": 1}, worker={"template": unplaceable}))

    found = await stage.queue().becomes("WorkersAvailable", "False", reason="WorkersFailing")

    assert "0/3 nodes are available" in found["message"]


async def test_pods_that_may_not_be_made_are_told_in_kubernetes_words(stage: Stage) -> None:
    await asyncio.to_thread(
        stage.namespace.kubectl, "label", "namespace", stage.namespace.name, "pod-security.kubernetes.io/enforce=restricted"
    )
    stage.start_operator()
    root = {"spec": {"securityContext": {"runAsUser": 0}, "containers": [{"name": "worker", "image": "worker:1"}]}}
    await stage.apply(secret(stage.database_url), task_queue(scaling={"minReplicas": 1}, worker={"template": root}))

    found = await stage.queue().becomes("WorkersAvailable", "False", reason="WorkersFailing")

    assert "violates PodSecurity" in found["message"]
