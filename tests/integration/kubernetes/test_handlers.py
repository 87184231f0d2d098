import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from taskfleet_operator import handlers
from taskfleet_operator.api.task_queue import QueueKey
from taskfleet_operator.cluster import Cluster
from taskfleet_operator.errors import CrdMissingError, ObjectMissingError
from taskfleet_operator.handlers import TaskQueueWatch, WatchEndedError
from taskfleet_operator.objects import ObjectKind
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fixtures import Namespace
from tests.cluster.waiting import until


class Known:
    """Remembers what it is told, by name."""

    def __init__(self) -> None:
        self.queues: dict[str, Mapping[str, Any]] = {}

    def remember(self, manifest: Mapping[str, Any]) -> None:
        self.queues[manifest["metadata"]["name"]] = manifest

    def forget(self, key: QueueKey) -> None:
        del self.queues[key.name]

    async def are(self, *names: str) -> None:
        async def look() -> bool:
            return sorted(self.queues) == sorted(names)

        await until(look)


class NoTaskQueues:
    """A cluster without the custom resource."""

    async def list(self, kind: ObjectKind, /, *, namespace: str | None = None) -> Sequence[Mapping[str, Any]]:
        raise ObjectMissingError("404 page not found")


def task_queue(name: str, *, max_wait_seconds: int = 60) -> dict[str, Any]:
    return {
        "apiVersion": "taskfleet.dev/v1alpha1",
        "kind": "TaskQueue",
        "metadata": {"name": name},
        "spec": {
            "database": {"secretRef": {"name": "database", "key": "uri"}},
            "goal": {"maxWaitSeconds": max_wait_seconds},
            "worker": {"template": {"spec": {"containers": [{"name": "worker", "image": "worker:1"}]}}},
        },
    }


@asynccontextmanager
async def watching(watch: TaskQueueWatch) -> AsyncIterator[list[float]]:
    stop = asyncio.Event()
    beats: list[float] = []
    running = asyncio.create_task(watch.run(lambda: beats.append(asyncio.get_running_loop().time()), stop))
    try:
        await asyncio.wait_for(watch.complete.wait(), 20)
        yield beats
    finally:
        stop.set()
        await running


@pytest.mark.requirement("K1")
async def test_what_is_there_and_every_change_becomes_known(cluster: Cluster, namespace: Namespace) -> None:
    namespace.apply(task_queue("first"))
    known = Known()

    async with watching(TaskQueueWatch(cluster, known, namespaces=[namespace.name])) as beats:
        at_the_start = sorted(known.queues)
        namespace.apply(task_queue("second"))
        await known.are("first", "second")
        namespace.apply(task_queue("first", max_wait_seconds=90))

        async def changed() -> bool:
            return bool(known.queues["first"]["spec"]["goal"]["maxWaitSeconds"] == 90)

        await until(changed)
        namespace.kubectl("delete", "taskqueue", "first")
        await known.are("second")

    assert at_the_start == ["first"]
    assert beats


async def test_all_namespaces_are_followed_unless_some_are_named(
    cluster: Cluster, namespace: Namespace, control_plane: ControlPlane
) -> None:
    everywhere, elsewhere = Known(), Known()
    namespace.apply(task_queue("everywhere"))

    async with watching(TaskQueueWatch(cluster, everywhere)), watching(TaskQueueWatch(cluster, elsewhere, namespaces=["default"])):
        namespace.apply(task_queue("later"))

        async def both() -> bool:
            return {"everywhere", "later"} <= set(everywhere.queues)

        await until(both)

    assert elsewhere.queues == {}


async def test_a_user_without_a_name_can_watch(cluster: Cluster, namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the user is a mere number."""

    def nobody() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", nobody)
    known = Known()

    async with watching(TaskQueueWatch(cluster, known, namespaces=[namespace.name])):
        namespace.apply(task_queue("first"))

        await known.are("first")


async def test_watching_leaves_no_trace_on_the_object(cluster: Cluster, namespace: Namespace) -> None:
    known = Known()

    async with watching(TaskQueueWatch(cluster, known, namespaces=[namespace.name])):
        namespace.apply(task_queue("first"))
        await known.are("first")

    metadata = namespace.get("taskqueue", "first")["metadata"]
    assert "finalizers" not in metadata
    assert set(metadata["annotations"]) == {"kubectl.kubernetes.io/last-applied-configuration"}


async def test_what_was_deleted_unnoticed_is_forgotten_by_the_next_comparison(
    cluster: Cluster, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "RELIST_SECONDS", 0.0)
    namespace.apply(task_queue("first"))
    known = Known()
    watch = TaskQueueWatch(cluster, known, namespaces=[namespace.name])

    async with watching(watch):
        missed = {**known.queues["first"], "metadata": {"namespace": namespace.name, "name": "missed", "uid": "0"}}
        watch._see(None, missed)

        await known.are("first")


async def test_the_end_of_one_does_not_drop_its_successor_of_the_same_name(cluster: Cluster) -> None:
    known = Known()
    watch = TaskQueueWatch(cluster, known)
    older, newer = ({"metadata": {"namespace": "work", "name": "first", "uid": uid}} for uid in ("1", "2"))
    watch._see("ADDED", older)
    watch._see("ADDED", newer)

    watch._see("DELETED", older)

    assert known.queues == {"first": newer}


async def test_an_api_server_that_is_away_for_a_while_is_survived(
    cluster: Cluster, namespace: Namespace, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Known()

    async with watching(TaskQueueWatch(cluster, known, namespaces=[namespace.name])) as beats:
        await until(lambda: has_beaten(beats, 1))
        control_plane.pause_api_server()
        try:
            before = len(beats)
            await until(lambda: has_beaten(beats, before + 3))
        finally:
            control_plane.resume_api_server()
        namespace.apply(task_queue("first"))

        await known.are("first")


async def has_beaten(beats: list[float], count: int) -> bool:
    return len(beats) >= count


async def test_a_cluster_without_the_custom_resource_says_what_to_install() -> None:
    watch = TaskQueueWatch(NoTaskQueues(), Known())

    with pytest.raises(CrdMissingError, match="install the chart"):
        await watch.run(lambda: None, asyncio.Event())


async def test_a_watch_that_dies_is_reported(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dies(**_: object) -> None:
        raise RuntimeError("no more")

    monkeypatch.setattr("kopf.operator", dies)

    with pytest.raises(WatchEndedError, match="no more"):
        await TaskQueueWatch(cluster, Known()).run(lambda: None, asyncio.Event())


async def test_a_watch_that_hangs_is_reported(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "STUCK_SECONDS", -1.0)

    with pytest.raises(WatchEndedError, match="has not come round"):
        await TaskQueueWatch(cluster, Known()).run(lambda: None, asyncio.Event())
