"""Words for tests of the operator in a cluster: a TaskQueue, its Secret, what is seen of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskfleet.models import NewTask
from tests.cluster.fixtures import Namespace
from tests.cluster.waiting import until


def task_queue(name: str = "work", *, secret: str = "database", image: str = "worker:1", **spec: Any) -> dict[str, Any]:
    """A TaskQueue whose pods run nothing; `spec` goes on top."""
    return {
        "apiVersion": "taskfleet.dev/v1alpha1",
        "kind": "TaskQueue",
        "metadata": {"name": name},
        "spec": {
            "database": {"secretRef": {"name": secret}},
            "goal": {"maxWaitSeconds": 10},
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
class Watched:
    """One TaskQueue as a person sees it."""

    namespace: Namespace
    name: str = "work"

    @property
    def status(self) -> dict[str, Any]:
        """Its status, empty before the first visit."""
        found: dict[str, Any] = self.namespace.get("taskqueue", self.name).get("status", {})
        return found

    def condition(self, type_: str) -> Mapping[str, Any]:
        """One of its conditions; empty before the first visit."""
        return next((each for each in self.status.get("conditions", []) if each["type"] == type_), {})

    @property
    def replicas(self) -> int | None:
        """What its Deployment asks for; None where there is none."""
        found = self.namespace.list("deployments", "--selector", f"taskfleet.dev/queue={self.name}")
        return int(found[0]["spec"]["replicas"]) if found else None

    @property
    def events(self) -> Sequence[str]:
        """Its Events as `reason: note`, in no order."""
        found = self.namespace.list("events.events.k8s.io")
        return [f"{each['reason']}: {each['note']}" for each in found if each["regarding"]["name"] == self.name]

    async def becomes(self, type_: str, status: str, *, reason: str | None = None, within: float = 40.0) -> Mapping[str, Any]:
        """Wait until a condition is so, and give it."""

        async def so() -> bool:
            found = await asyncio.to_thread(self.condition, type_)
            return found.get("status") == status and reason in (None, found.get("reason"))

        try:
            await until(so, within=within)
        except AssertionError as error:
            raise AssertionError(f"{type_} is {dict(self.condition(type_))}, expected {status} {reason or ''}") from error
        return self.condition(type_)

    async def has(self, look: Callable[["Watched"], object], *, within: float = 40.0) -> None:
        """Wait until what is looked at is true."""

        async def so() -> object:
            return await asyncio.to_thread(look, self)  # kubectl takes its time, and played workers live in this loop

        try:
            await until(so, within=within)
        except AssertionError as error:
            raise AssertionError(f"{error}; replicas {self.replicas}, status {self.status}, events {self.events}") from error
