"""Deployments as scale target."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from taskfleet_operator.api.task_queue import QueueKey, TaskQueue
from taskfleet_operator.errors import Fault, ObjectConflictError, OperatorError, SpecInvalidError
from taskfleet_operator.in_cluster.fleet import ENDED, LEAVING_COST, fleet_state, shrink_plan
from taskfleet_operator.loop.fleet import FleetState, Scaled, ScaleOrder
from taskfleet_operator.objects import DeploymentSeen, ObjectKey, PodSeen
from taskfleet_operator.resources.deployment import deployment_manifest, fingerprint, with_live
from taskfleet_operator.resources.names import TASK_QUEUE_LABEL, deployment_name
from taskfleet_operator.trouble import Trouble

_log = logging.getLogger(__name__)


class Writer(Protocol):
    """What is written to the cluster for a fleet."""

    async def deployment(self, key: ObjectKey) -> DeploymentSeen | None:
        """Read one Deployment as it is this moment."""
        ...

    async def apply_deployment(self, manifest: Mapping[str, object]) -> DeploymentSeen:
        """Apply a Deployment."""
        ...

    async def scale_deployment(self, key: ObjectKey, *, replicas: int, resource_version: str) -> None:
        """Set the replicas."""
        ...

    async def set_deletion_cost(self, pod: ObjectKey, *, cost: int) -> None:
        """Tell a pod's ReplicaSet how dear the pod is."""
        ...


class Sights(Protocol):
    """What the operator's watches have shown."""

    def deployment_of(self, key: QueueKey) -> DeploymentSeen | None:
        """Give the Deployment of a TaskQueue."""
        ...

    def pods_of(self, key: QueueKey) -> Collection[PodSeen]:
        """Give the pods of a TaskQueue."""
        ...


@dataclass(kw_only=True)
class _Written:
    """What we last wrote, and the generation it must have come to."""

    fingerprint: str
    generation: int
    replicas: int
    answered: int = 0
    """The generation up to which changes by somebody else have been answered."""
    gone: frozenset[str] = frozenset()
    """Pods whose replicas were taken away; their ReplicaSet has yet to delete them."""


class DeploymentTarget:
    """Runs the workers of every queue as pods of a Deployment that belongs to its TaskQueue."""

    def __init__(self, cluster: Writer, sights: Sights, *, schema: str, leading: Callable[[], bool]) -> None:
        self._cluster, self._sights, self._schema, self._leading = cluster, sights, schema, leading
        self._written: dict[QueueKey, _Written] = {}

    async def look(self, task_queues: Sequence[TaskQueue]) -> Mapping[QueueKey, FleetState | Trouble]:
        """Say what exists, from memory. Deployments of deleted TaskQueues are the garbage collector's."""
        for key in set(self._written) - {task_queue.key for task_queue in task_queues}:
            del self._written[key]
        return {task_queue.key: self._state(task_queue.key, now=datetime.now(UTC)) for task_queue in task_queues}

    def _state(self, key: QueueKey, *, now: datetime) -> FleetState:
        written = self._written.get(key)
        return fleet_state(
            self._sights.deployment_of(key),
            self._sights.pods_of(key),
            now=now,
            gone=written.gone if written else frozenset(),
            foreign_change=self._foreign_change(key),
        )

    async def prepare(self, task_queue: TaskQueue) -> None:
        """Bring the Deployment to the spec, its replicas as they are; raises SpecInvalidError or a ClusterError."""
        manifest = _manifest(task_queue, schema=self._schema)
        seen, written = self._sights.deployment_of(task_queue.key), self._written.get(task_queue.key)
        mark = fingerprint(manifest)
        if seen is not None and written is not None and written.fingerprint == mark and seen.generation <= written.generation:
            return
        self._require_lead()
        live = await self._cluster.deployment(_deployment_key(task_queue))
        _require_ours(task_queue, live)
        complete = with_live(manifest, replicas=live.replicas if live else 0, resource_version=live.resource_version if live else None)
        applied = await self._cluster.apply_deployment(complete)
        self._written[task_queue.key] = _Written(
            fingerprint=mark,
            generation=applied.generation,
            # What we last set, not what is there: a difference is somebody else's doing, and the next look tells it.
            replicas=written.replicas if written else applied.replicas,
            answered=written.answered if written else 0,
            gone=written.gone if written else frozenset(),
        )
        if live is None or live.generation != applied.generation:
            _log.info("deployment.applied", extra={"task_queue": str(task_queue.key), "new": live is None})

    async def scale(self, task_queue: TaskQueue, order: ScaleOrder) -> Scaled:
        """Take the next step to the order: choose pods to go, and set the replicas; raises a ClusterError."""
        plan = shrink_plan(order, self._sights.pods_of(task_queue.key))
        for pod in plan.choose:
            self._require_lead()
            await self._cluster.set_deletion_cost(pod.key, cost=LEAVING_COST)
        seen, written = self._sights.deployment_of(task_queue.key), self._written.get(task_queue.key)
        if seen is None or written is None:
            return Scaled(replicas=0)  # It was just made; our watch shows it with the next tick.
        written.answered = seen.generation
        if plan.replicas < seen.replicas < self._standing(task_queue.key):
            return Scaled(replicas=seen.replicas)  # The ReplicaSet has yet to delete whom we let go before; whom it takes next is open.
        if seen.replicas == plan.replicas or not await self._set_replicas(written, seen, replicas=plan.replicas):
            return Scaled(replicas=seen.replicas)
        there = {pod.uid for pod in self._sights.pods_of(task_queue.key)}
        written.gone = (written.gone & there) | {pod.uid for pod in plan.go}
        return Scaled(replicas=plan.replicas, gone=tuple(pod.key.name for pod in plan.go))

    async def _set_replicas(self, written: _Written, seen: DeploymentSeen, *, replicas: int) -> bool:
        """Scale from what was seen, unless the spec has changed since: then the next tick decides anew.

        Controllers write the status all the time; a version that is old for that alone is no conflict.
        """
        self._require_lead()
        try:
            await self._cluster.scale_deployment(seen.key, replicas=replicas, resource_version=seen.resource_version)
        except ObjectConflictError:
            live = await self._cluster.deployment(seen.key)
            if live is None or live.generation != seen.generation:
                return False
            self._require_lead()
            await self._cluster.scale_deployment(seen.key, replicas=replicas, resource_version=live.resource_version)
        written.generation, written.replicas = seen.generation + 1, replicas
        return True

    def _standing(self, key: QueueKey) -> int:
        return sum(1 for pod in self._sights.pods_of(key) if not pod.terminating and pod.phase not in ENDED)

    def _foreign_change(self, key: QueueKey) -> bool:
        """Whether somebody else changed the replicas; told until a decision has answered it, which `scale` is the sign of."""
        seen, written = self._sights.deployment_of(key), self._written.get(key)
        if seen is None or written is None:
            return False
        return seen.generation >= written.generation and seen.generation > written.answered and seen.replicas != written.replicas

    def _require_lead(self) -> None:
        if not self._leading():
            raise OperatorError("this operator does not lead now, so it writes nothing; it goes on when it has renewed its lease")


def _manifest(task_queue: TaskQueue, *, schema: str) -> dict[str, Any]:
    if task_queue.spec.worker.template is None:
        raise SpecInvalidError(
            str(task_queue.key),
            [
                Fault(
                    path="spec.worker.targetRef", found="an object to scale", allowed="spec.worker.template; targetRef is not followed yet"
                )
            ],
        )
    return deployment_manifest(task_queue, schema=schema)


def _deployment_key(task_queue: TaskQueue) -> ObjectKey:
    return ObjectKey(namespace=task_queue.key.namespace, name=deployment_name(task_queue))


def _require_ours(task_queue: TaskQueue, live: DeploymentSeen | None) -> None:
    """Never take over what somebody else made under this name."""
    if live is not None and live.labels.get(TASK_QUEUE_LABEL) != task_queue.key.name:
        message = f"Deployment {live.key} is there already and does not belong to TaskQueue {task_queue.key}: rename one of them"
        raise OperatorError(message)
