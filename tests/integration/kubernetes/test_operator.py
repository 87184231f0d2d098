"""The operator in a cluster: a real process with the chart's rights, a real control plane, a real database; pods are played."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import taskfleet
from taskfleet.store import Database
from taskfleet_operator.cluster import Cluster
from tests.cluster.api import Api
from tests.cluster.fixtures import Namespace
from tests.cluster.operators import Operators
from tests.cluster.waiting import until
from tests.cluster.workers import played_workers
from tests.integration.kubernetes.stage import Watched, secret, task_queue, tasks

CONDITIONS = {"Ready", "Active", "DatabaseReachable", "WorkersAvailable", "ScalingLimited", "GoalReachable", "Paused", "Degraded"}


@asynccontextmanager
async def replicas_seen(api: Api, namespace: Namespace) -> AsyncIterator[list[int]]:
    """Every number of replicas that any Deployment of the namespace was ever set to, in order."""
    path = f"/apis/apps/v1/namespaces/{namespace.name}/deployments"
    version = (await api.get(path))["metadata"]["resourceVersion"]
    seen: list[int] = []

    async def follow() -> None:
        async for event in api.watch(path, resourceVersion=version):
            replicas = event["object"]["spec"]["replicas"]
            if not seen or seen[-1] != replicas:
                seen.append(replicas)

    following = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@pytest.mark.requirement("K1", "K2")
@pytest.mark.timeout(240)
async def test_a_task_queue_gets_its_workers_from_zero_and_back(
    operators: Operators, namespace: Namespace, cluster: Cluster, database: Database, database_url: str
) -> None:
    operators.start()
    namespace.apply(secret(database_url), task_queue())
    queue = Watched(namespace)
    await queue.becomes("Ready", "True")
    idle = queue.replicas

    async with (
        played_workers(cluster, database, namespace=namespace.name, queue="work") as workers,
        taskfleet.AsyncProducer(database_url, queue="work") as producer,
    ):
        await producer.enqueue_many(tasks(60))
        await queue.has(lambda queue: (queue.replicas or 0) > 0)
        await queue.becomes("Active", "True")
        await queue.has(lambda _: workers.done == 60)
        most = max(int(size) for event in queue.events for size in re.findall(r"^Scaled: .*? to (\d+)", event))
        await queue.has(lambda queue: queue.replicas == 0 and queue.status["replicas"] == 0, within=90)
        await queue.becomes("Active", "False", reason="NoWork")

    status = queue.status
    assert idle == 0
    assert 1 <= most <= 5
    assert workers.killed == []
    assert {each["type"] for each in status["conditions"]} == CONDITIONS
    assert all(each["message"] and each["observedGeneration"] == status["observedGeneration"] == 1 for each in status["conditions"])
    assert status["tasks"] == {"ready": 0, "running": 0, "scheduled": 0, "failed": 0}
    assert status["decision"]["reason"]
    assert status["decision"]["message"] in namespace.kubectl("describe", "taskqueue", "work")


async def test_the_deployment_is_owned_and_complete(operators: Operators, namespace: Namespace, database_url: str) -> None:
    operators.start()
    namespace.apply(secret(database_url), task_queue(kinds=[{"name": "slow", "timeoutSeconds": 900}]))
    queue = Watched(namespace)
    await queue.becomes("Ready", "True")

    (deployment,) = namespace.list("deployments")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    (owner,) = deployment["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("TaskQueue", "work", True)
    assert (environment["TASKFLEET_QUEUE"], environment["TASKFLEET_CONCURRENCY"]) == ("work", "2")
    assert pod["terminationGracePeriodSeconds"] >= 900
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert database_url not in str(deployment)


async def test_spec_changes_are_followed_and_leave_the_replicas_alone(
    operators: Operators, namespace: Namespace, cluster: Cluster, database: Database, database_url: str
) -> None:
    operators.start()
    namespace.apply(secret(database_url), task_queue(scaling={"minReplicas": 2, "maxReplicas": 5}))
    queue = Watched(namespace)
    await queue.has(lambda queue: queue.replicas == 2)

    async with played_workers(cluster, database, namespace=namespace.name, queue="work"):
        await queue.has(lambda queue: queue.status.get("readyReplicas") == 2)
        namespace.apply(task_queue(image="worker:2", scaling={"minReplicas": 2, "maxReplicas": 5}))

        def image(_: Watched) -> bool:
            (deployment,) = namespace.list("deployments")
            container = deployment["spec"]["template"]["spec"]["containers"][0]
            return bool(container["image"] == "worker:2" and deployment["spec"]["replicas"] == 2)

        await queue.has(image)
        namespace.apply(task_queue(image="worker:2", scaling={"minReplicas": 3, "maxReplicas": 5}))

        await queue.has(lambda queue: queue.replicas == 3)
        await queue.has(lambda queue: queue.status["observedGeneration"] == 3)


async def test_deletion_takes_the_workers_and_leaves_the_tasks(operators: Operators, namespace: Namespace, database_url: str) -> None:
    operators.start()
    namespace.apply(secret(database_url), task_queue(scaling={"minReplicas": 1}))
    queue = Watched(namespace)
    await queue.has(lambda queue: queue.replicas == 1)
    async with taskfleet.AsyncProducer(database_url, queue="work") as producer:
        await producer.enqueue("work", {})
        namespace.kubectl("delete", "taskqueue", "work")

        async def gone() -> bool:
            return not namespace.list("deployments,pods")

        await until(gone)
        assert await producer.length() == 1


@pytest.mark.parametrize(
    ("manifests", "reason", "told"),
    [
        pytest.param([], "SecretMissing", "missing", id="no Secret"),
        pytest.param(
            [secret("postgresql://nobody:x@127.0.0.1:1/none", "missing")], "DatabaseUnreachable", "127.0.0.1", id="no database there"
        ),
    ],
)
async def test_a_queue_in_trouble_says_so_and_harms_no_other(
    operators: Operators, namespace: Namespace, database_url: str, manifests: list[dict[str, Any]], reason: str, told: str
) -> None:
    operators.start()
    broken, sound = Watched(namespace, "broken"), Watched(namespace, "sound")
    namespace.apply(*manifests, task_queue("broken", secret="missing"))
    namespace.apply(secret(database_url), task_queue("sound", scaling={"minReplicas": 1}))

    found = await broken.becomes("DatabaseReachable", "False", reason=reason)
    await broken.becomes("Ready", "False")
    await sound.becomes("Ready", "True")
    await sound.has(lambda queue: queue.replicas == 1)

    assert told in found["message"]
    assert "nobody:x" not in str(broken.status)


async def test_what_kubernetes_refuses_of_the_template_is_said_in_its_words(
    operators: Operators, namespace: Namespace, database_url: str
) -> None:
    operators.start()
    namespace.apply(secret(database_url), task_queue("broken", image=""), task_queue("sound"))

    found = await Watched(namespace, "broken").becomes("Ready", "False", reason="SpecInvalid")
    await Watched(namespace, "sound").becomes("Ready", "True")

    assert "image: Required value" in found["message"]


async def test_a_secret_that_comes_later_heals_the_queue(operators: Operators, namespace: Namespace, database_url: str) -> None:
    operators.start()
    namespace.apply(task_queue())
    queue = Watched(namespace)
    await queue.becomes("DatabaseReachable", "False", reason="SecretMissing")

    namespace.apply(secret(database_url))

    await queue.becomes("Ready", "True")


@pytest.mark.requirement("K2")
@pytest.mark.timeout(300)
async def test_of_twenty_busy_workers_ten_may_go_and_none_is_killed(
    operators: Operators, namespace: Namespace, cluster: Cluster, database: Database, database_url: str
) -> None:
    operators.start()
    namespace.apply(secret(database_url), task_queue(scaling={"minReplicas": 20, "maxReplicas": 20}))
    queue = Watched(namespace)

    async with (
        played_workers(cluster, database, namespace=namespace.name, queue="work") as workers,
        taskfleet.AsyncProducer(database_url, queue="work") as producer,
    ):
        workers.task_seconds = 3600
        await producer.enqueue_many(tasks(40))
        await queue.has(lambda _: len(workers.busy) == 20 and set(workers.busy.values()) == {2}, within=90)

        # Ten are not needed any more, and all are busy: they must be asked to finish, not killed.
        namespace.apply(task_queue(scaling={"maxReplicas": 10}))
        await producer.enqueue_many(tasks(200))
        workers.task_seconds = 4

        await queue.has(lambda queue: queue.replicas == 10 and len(workers.busy) == 10, within=120)
        await queue.has(lambda _: workers.done == 240, within=120)

    assert workers.killed == []


@pytest.mark.timeout(240)
async def test_an_operator_that_is_killed_and_started_again_drops_no_worker(
    operators: Operators, namespace: Namespace, cluster: Cluster, database: Database, database_url: str, api: Api
) -> None:
    first = operators.start()
    namespace.apply(secret(database_url), task_queue())
    queue = Watched(namespace)

    async with (
        played_workers(cluster, database, namespace=namespace.name, queue="work") as workers,
        taskfleet.AsyncProducer(database_url, queue="work") as producer,
    ):
        workers.task_seconds = 3600
        await producer.enqueue_many(tasks(10))
        await queue.has(lambda _: sum(workers.busy.values()) == 10, within=90)
        async with replicas_seen(api, namespace) as seen:
            first.process.send(signal.SIGKILL)
            first.process.wait()
            second = operators.start()
            await queue.has(lambda _: second.said("lease.taken"), within=60)
            observed = queue.status["decision"]["time"]
            await queue.has(lambda queue: queue.status["decision"]["time"] >= observed and len(workers.busy) == 5)
            await asyncio.to_thread(namespace.kubectl, "annotate", "taskqueue", "work", "seen=yes")
            await queue.becomes("Ready", "True")

    assert queue.replicas == 5
    assert all(replicas >= 5 for replicas in seen)
    assert workers.killed == []


@pytest.mark.timeout(180)
async def test_of_two_operators_one_leads_until_it_ends(operators: Operators, namespace: Namespace, database_url: str) -> None:
    first = operators.start()
    namespace.apply(secret(database_url), task_queue(scaling={"minReplicas": 1}))
    queue = Watched(namespace)
    await queue.has(lambda queue: queue.replicas == 1)
    second = operators.start()
    await queue.has(lambda _: second.process.alive and second.log)
    before = len(second.said("lease.taken"))

    first.process.send(signal.SIGTERM)
    first_code = first.process.wait()
    await queue.has(lambda _: second.said("lease.taken"))
    namespace.apply(task_queue(scaling={"minReplicas": 2}))
    await queue.has(lambda queue: queue.replicas == 2)

    assert (first_code, before) == (0, 0)


async def test_a_hand_on_the_replicas_is_corrected_and_reported(operators: Operators, namespace: Namespace, database_url: str) -> None:
    operators.start()
    namespace.apply(secret(database_url), task_queue(scaling={"minReplicas": 1}))
    queue = Watched(namespace)
    await queue.has(lambda queue: queue.replicas == 1)
    (deployment,) = namespace.list("deployments")
    name = deployment["metadata"]["name"]

    namespace.kubectl("scale", "deployment", name, "--replicas=3")
    await queue.has(lambda queue: queue.replicas == 1)
    namespace.kubectl("scale", "deployment", name, "--replicas=3")

    await queue.becomes("Degraded", "True", reason="ReplicasContested")


async def test_a_pod_that_cannot_start_is_told_with_its_own_words(operators: Operators, namespace: Namespace, database_url: str) -> None:
    operators.start()
    unplaceable = {"spec": {"nodeSelector": {"gpu": "yes"}, "containers": [{"name": "worker", "image": "worker:1"}]}}
    namespace.apply(secret(database_url), task_queue(scaling={"minReplicas": 1}, worker={"template": unplaceable}))

    found = await Watched(namespace).becomes("WorkersAvailable", "False", reason="WorkersFailing")

    assert "0/3 nodes are available" in found["message"]


def test_an_operator_without_a_cluster_says_what_to_set(operators: Operators, tmp_path: Any) -> None:
    alone = operators.start(KUBECONFIG=str(tmp_path / "nowhere"))

    code = alone.process.wait()

    assert code == 1
    assert "set KUBECONFIG" in alone.process.output
