from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest

from taskfleet_operator.api.task_queue import QueueKey, TaskQueue
from taskfleet_operator.errors import ObjectConflictError, OperatorError, SpecInvalidError
from taskfleet_operator.in_cluster.fleet import LEAVING_COST
from taskfleet_operator.in_cluster.target import DeploymentTarget
from taskfleet_operator.loop.fleet import FleetState, Scaled, ScaleOrder
from taskfleet_operator.objects import DeploymentSeen, ObjectKey, PodSeen
from tests.unit.operator.facts import task_queue
from tests.unit.operator.in_cluster.test_fleet import deployment, pod

TEMPLATE = {"spec": {"containers": [{"name": "worker", "image": "shop:1"}]}}
OURS = {"taskfleet.dev/taskqueue": "episodes"}


def queue(image: str = "shop:1") -> TaskQueue:
    return task_queue(worker={"template": {"spec": {"containers": [{"name": "worker", "image": image}]}}})


class Cluster:
    """A Deployment on an API server, the pods, and what our watch has shown of both."""

    def __init__(self, live: DeploymentSeen | None = None) -> None:
        self.live, self.seen = live, live
        self.pods: list[PodSeen] = []
        self.written: list[str] = []
        self.leads = True

    def watch(self) -> None:
        self.seen = self.live

    async def deployment(self, key: ObjectKey) -> DeploymentSeen | None:
        return self.live

    async def apply_deployment(self, manifest: Mapping[str, Any]) -> DeploymentSeen:
        version = manifest["metadata"].get("resourceVersion")
        assert version == (self.live.resource_version if self.live else None)
        replicas = manifest["spec"]["replicas"]
        self.written.append(f"apply {manifest['spec']['template']['spec']['containers'][0]['image']} × {replicas}")
        if self.live is None:
            self.live = deployment(generation=1, replicas=replicas, resource_version="1", labels=OURS)
        else:
            self.live = replace(self.live, replicas=replicas)
        return self.live

    async def scale_deployment(self, key: ObjectKey, *, replicas: int, resource_version: str) -> None:
        assert self.live is not None
        if resource_version != self.live.resource_version:
            raise ObjectConflictError("it was changed")
        self.written.append(f"scale {replicas}")
        self.change(replicas=replicas, generation=self.live.generation + 1)

    async def set_deletion_cost(self, pod: ObjectKey, *, cost: int) -> None:
        self.written.append(f"choose {pod.name}")
        self.pods = [replace(each, deletion_cost=cost) if each.key == pod else each for each in self.pods]

    def change(self, **fields: Any) -> None:
        """Change the live object; our watch shows it later."""
        assert self.live is not None
        self.live = replace(self.live, resource_version=f"{int(self.live.resource_version) + 1}", **fields)

    def deployment_of(self, key: QueueKey) -> DeploymentSeen | None:
        return self.seen

    def pods_of(self, key: QueueKey) -> Collection[PodSeen]:
        return self.pods


def target(cluster: Cluster) -> DeploymentTarget:
    return DeploymentTarget(cluster, cluster, schema="taskfleet", leading=lambda: cluster.leads)


async def state(made: DeploymentTarget) -> FleetState:
    seen = (await made.look([queue()]))[queue().key]
    assert isinstance(seen, FleetState)
    return seen


def three() -> Cluster:
    cluster = Cluster(deployment(labels=OURS))
    cluster.pods = [pod(1), pod(2), pod(3)]
    return cluster


async def prepared(cluster: Cluster) -> DeploymentTarget:
    made = target(cluster)
    await made.prepare(queue())
    cluster.written.clear()
    return made


@pytest.mark.requirement("K1")
async def test_deployment_is_made_with_no_worker_and_scaled_when_it_is_seen() -> None:
    cluster = Cluster()
    made = target(cluster)
    await made.prepare(queue())
    early = await made.scale(queue(), ScaleOrder(replicas=2))
    cluster.watch()
    await made.prepare(queue())
    scaled = await made.scale(queue(), ScaleOrder(replicas=2))

    assert cluster.written == ["apply shop:1 × 0", "scale 2"]
    assert (early, scaled) == (Scaled(replicas=0), Scaled(replicas=2))


async def test_changed_spec_is_applied_with_the_live_replicas() -> None:
    cluster = three()
    made = await prepared(cluster)
    cluster.change(replicas=5)
    await made.prepare(queue("shop:2"))

    assert cluster.written == ["apply shop:2 × 5"]


async def test_unchanged_spec_is_applied_again_only_when_somebody_changed_the_deployment() -> None:
    cluster = three()
    made = await prepared(cluster)
    await made.prepare(queue())
    await made.scale(queue(), ScaleOrder(replicas=4))
    cluster.watch()
    await made.prepare(queue())
    ours = list(cluster.written)
    cluster.change(generation=9)
    cluster.watch()
    await made.prepare(queue())

    assert ours == ["scale 4"]
    assert cluster.written[1:] == ["apply shop:1 × 4"]


async def test_deployment_of_somebody_else_is_left_alone() -> None:
    cluster = Cluster(deployment(labels={"app": "other"}))

    with pytest.raises(OperatorError, match="is there already and does not belong to TaskQueue media/episodes: rename one of them"):
        await target(cluster).prepare(queue())

    assert cluster.written == []


async def test_target_of_another_object_is_not_followed_yet() -> None:
    other = task_queue(worker={"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "mine"}})

    with pytest.raises(SpecInvalidError, match=r"spec\.worker\.targetRef"):
        await target(Cluster()).prepare(other)


@pytest.mark.requirement("K2")
async def test_pods_are_chosen_and_seen_before_replicas_are_lowered_by_exactly_them() -> None:
    cluster = three()
    made = await prepared(cluster)
    order = ScaleOrder(replicas=2, leave=("uid-2",))
    first = await made.scale(queue(), order)
    second = await made.scale(queue(), order)

    assert cluster.written == ["choose worker-2", "scale 2"]
    assert (first, second) == (Scaled(replicas=3), Scaled(replicas=2, gone=("worker-2",)))


@pytest.mark.requirement("K2")
async def test_no_replica_is_taken_away_before_the_pods_given_up_are_gone() -> None:
    cluster = three()
    made = await prepared(cluster)
    await made.scale(queue(), ScaleOrder(replicas=2, leave=("uid-2",)))
    await made.scale(queue(), ScaleOrder(replicas=2, leave=("uid-2",)))
    cluster.watch()
    leaving = [worker.pod for worker in (await state(made)).workers if worker.leaving]
    cluster.pods = [replace(each, deletion_cost=LEAVING_COST) if each.uid == "uid-1" else each for each in cluster.pods]
    cluster.written.clear()
    held_back = await made.scale(queue(), ScaleOrder(replicas=1, leave=("uid-1",)))
    cluster.pods = cluster.pods[:1] + cluster.pods[2:]
    await made.scale(queue(), ScaleOrder(replicas=1, leave=("uid-1",)))

    assert leaving == ["uid-2"]
    assert held_back == Scaled(replicas=2)
    assert cluster.written == ["scale 1"]


async def test_status_that_was_written_meanwhile_is_no_conflict() -> None:
    cluster = three()
    made = await prepared(cluster)
    cluster.change(ready=2)

    assert await made.scale(queue(), ScaleOrder(replicas=5)) == Scaled(replicas=5)


async def test_spec_that_was_written_meanwhile_is_left_to_the_next_tick() -> None:
    cluster = three()
    made = await prepared(cluster)
    cluster.change(generation=3, replicas=7)

    assert await made.scale(queue(), ScaleOrder(replicas=5)) == Scaled(replicas=3)
    assert cluster.written == []


async def test_hand_on_the_replicas_is_told_until_a_decision_has_answered_it() -> None:
    cluster = three()
    made = await prepared(cluster)
    before = (await state(made)).foreign_change
    cluster.change(generation=3, replicas=7)
    cluster.watch()
    told = [(await state(made)).foreign_change, (await state(made)).foreign_change]
    await made.prepare(queue())
    still = (await state(made)).foreign_change
    await made.scale(queue(), ScaleOrder(replicas=3))
    cluster.watch()
    after = (await state(made)).foreign_change

    assert (before, told, still, after) == (False, [True, True], True, False)


async def test_our_own_scaling_that_our_watch_has_not_shown_is_nobodys_hand() -> None:
    cluster = three()
    made = await prepared(cluster)
    await made.scale(queue(), ScaleOrder(replicas=5))

    assert (await state(made)).foreign_change is False


async def test_operator_that_does_not_lead_writes_nothing() -> None:
    cluster = three()
    made = await prepared(cluster)
    cluster.leads = False

    with pytest.raises(OperatorError, match="does not lead now"):
        await made.scale(queue(), ScaleOrder(replicas=5))
    with pytest.raises(OperatorError, match="does not lead now"):
        await made.prepare(queue("shop:2"))

    assert cluster.written == []


async def test_what_was_written_for_a_deleted_task_queue_is_forgotten() -> None:
    cluster = three()
    made = await prepared(cluster)
    await made.look([])
    await made.prepare(queue())

    assert cluster.written == ["apply shop:1 × 3"]
