"""Words for tests of the operator in a cluster: a TaskQueue, its Secret, what is seen of them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import taskfleet
from taskfleet.models import NewTask
from taskfleet.store import Database
from taskfleet_operator.cluster import Cluster
from tests.cluster.api import Api
from tests.cluster.fixtures import Namespace
from tests.cluster.operators import Operator, Operators
from tests.cluster.waiting import until
from tests.cluster.workers import PlayedWorkers, played_workers


def task_queue(name: str = "work", *, secret: str = "database", image: str = "worker:1", **spec: Any) -> dict[str, Any]:
    """A TaskQueue whose pods run nothing; `spec` goes on top."""
    return {
        "apiVersion": "taskfleet.dev/v1alpha1",
        "kind": "TaskQueue",
        "metadata": {"name": name},
        "spec": {
            "database": {"secretRef": {"name": secret}},
            "goal": {"maxWaitSeconds": 30},
            "scaling": {"maxReplicas": 5},
            "worker": {"concurrency": 2, "drainSeconds": 5, "template": {"spec": {"containers": [{"name": "worker", "image": image}]}}},
            **spec,
        },
    }


def secret(url: str, name: str = "database") -> dict[str, Any]:
    """A Secret with a database URL."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"uri": url}}


def tasks(count: int) -> list[NewTask]:
    """Tasks for the played workers."""
    return [NewTask(kind="work", payload={"number": number}) for number in range(count)]


@dataclass(frozen=True)
class Seen:
    """One TaskQueue and its Deployment at one moment."""

    status: Mapping[str, Any] = field(default_factory=dict)
    """Empty before the operator's first visit."""
    deployment: Mapping[str, Any] = field(default_factory=dict)
    """Empty while there is none."""

    @property
    def replicas(self) -> int | None:
        """What the Deployment asks for; None where there is none."""
        return int(self.deployment["spec"]["replicas"]) if self.deployment else None

    @property
    def image(self) -> str:
        """What its workers run."""
        return str(self.deployment["spec"]["template"]["spec"]["containers"][0]["image"])

    def condition(self, type_: str) -> Mapping[str, Any]:
        """One of the conditions; empty before the first visit."""
        return next((each for each in self.status.get("conditions", []) if each["type"] == type_), {})


@dataclass(frozen=True)
class Watched:
    """One TaskQueue, looked at through the API server."""

    api: Api
    namespace: Namespace
    name: str = "work"

    async def look(self) -> Seen:
        """See it as it is now."""
        found = await self.api.get(f"/apis/taskfleet.dev/v1alpha1/namespaces/{self.namespace.name}/taskqueues/{self.name}")
        selector = f"taskfleet.dev/taskqueue={self.name}"
        listed = await self.api.get(f"/apis/apps/v1/namespaces/{self.namespace.name}/deployments", labelSelector=selector)
        return Seen(found.get("status", {}), listed["items"][0] if listed["items"] else {})

    async def events(self) -> Sequence[str]:
        """Give its Events as `reason: note`, in no order."""
        listed = await self.api.get(f"/apis/events.k8s.io/v1/namespaces/{self.namespace.name}/events")
        return [f"{each['reason']}: {each['note']}" for each in listed["items"] if each["regarding"]["name"] == self.name]

    async def has(self, fits: Callable[[Seen], object], *, within: float = 40.0) -> Seen:
        """Wait until what is seen fits, and give it; AssertionError tells what was seen last."""
        seen = Seen()

        async def so() -> object:
            nonlocal seen
            seen = await self.look()
            return fits(seen)

        try:
            await until(so, within=within)
        except AssertionError as error:
            raise AssertionError(f"{error}; replicas {seen.replicas}, status {seen.status}, events {await self.events()}") from error
        return seen

    async def becomes(self, type_: str, status: str, *, reason: str | None = None, within: float = 40.0) -> Mapping[str, Any]:
        """Wait until a condition is so, and give it."""

        def so(seen: Seen) -> bool:
            found = seen.condition(type_)
            return found.get("status") == status and reason in (None, found.get("reason"))

        return (await self.has(so, within=within)).condition(type_)


@dataclass(frozen=True)
class Stage:
    """A namespace with everything that a test of the operator needs."""

    operators: Operators
    namespace: Namespace
    api: Api
    cluster: Cluster
    database: Database
    database_url: str

    def start_operator(self) -> Operator:
        """Start an operator for this namespace, with the rights that the chart gives."""
        return self.operators.start()

    async def apply(self, *manifests: Mapping[str, object]) -> None:
        """`kubectl apply` manifests."""
        await asyncio.to_thread(self.namespace.apply, *manifests)

    def queue(self, name: str = "work") -> Watched:
        """Look at one TaskQueue."""
        return Watched(self.api, self.namespace, name)

    def workers(self) -> AbstractAsyncContextManager[PlayedWorkers]:
        """Play the workers of the queue `work`."""
        return played_workers(self.cluster, self.database, namespace=self.namespace.name, queue="work")

    async def enqueue(self, count: int) -> None:
        """Enqueue tasks into the queue `work`."""
        async with taskfleet.AsyncProducer(self.database_url, queue="work") as producer:
            await producer.enqueue_many(tasks(count))

    @asynccontextmanager
    async def replicas_seen(self) -> AsyncIterator[list[int]]:
        """Note every number of replicas that any Deployment of the namespace is set to, in order."""
        path = f"/apis/apps/v1/namespaces/{self.namespace.name}/deployments"
        version = (await self.api.get(path))["metadata"]["resourceVersion"]
        seen: list[int] = []

        async def follow() -> None:
            async for event in self.api.watch(path, resourceVersion=version):
                replicas = event["object"]["spec"]["replicas"]
                if not seen or seen[-1] != replicas:
                    seen.append(replicas)

        following = asyncio.create_task(follow())
        try:
            yield seen
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
