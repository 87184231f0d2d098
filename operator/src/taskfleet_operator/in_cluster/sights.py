"""What the operator sees of its own Deployments and pods: two mirrors, grouped by TaskQueue."""

from collections.abc import Collection, Sequence

from taskfleet_operator.api.task_queue import QueueKey
from taskfleet_operator.mirror import Mirror, Watcher
from taskfleet_operator.objects import DEPLOYMENTS, PODS, DeploymentSeen, PodSeen, read_deployment, read_pod
from taskfleet_operator.process.supervise import Pulse
from taskfleet_operator.resources.names import TASK_QUEUE_LABEL


class ClusterSights:
    """The workers' Deployments and pods, as the API server last told."""

    def __init__(self, watcher: Watcher, *, namespaces: Sequence[str] = ()) -> None:
        self._deployments: Mirror[QueueKey, DeploymentSeen] = Mirror(
            watcher, DEPLOYMENTS, labels=TASK_QUEUE_LABEL, read=read_deployment, group=_group, namespaces=namespaces
        )
        self._pods: Mirror[QueueKey, PodSeen] = Mirror(
            watcher, PODS, labels=TASK_QUEUE_LABEL, read=read_pod, group=_group, namespaces=namespaces
        )

    def deployment_of(self, key: QueueKey) -> DeploymentSeen | None:
        """Give the Deployment of a TaskQueue; None where there is none."""
        return next(iter(self._deployments.of(key).values()), None)

    def pods_of(self, key: QueueKey) -> Collection[PodSeen]:
        """Give the pods of a TaskQueue."""
        return self._pods.of(key).values()

    async def complete(self) -> None:
        """Return once everything that was there at the start is known."""
        await self._deployments.complete.wait()
        await self._pods.complete.wait()

    async def watch_deployments(self, pulse: Pulse) -> None:
        """Follow Deployments; raises what ends the stream."""
        await self._deployments.run(pulse.beat)

    async def watch_pods(self, pulse: Pulse) -> None:
        """Follow pods; raises what ends the stream."""
        await self._pods.run(pulse.beat)


def _group(seen: DeploymentSeen | PodSeen) -> QueueKey:
    return QueueKey(namespace=seen.key.namespace, name=seen.labels[TASK_QUEUE_LABEL])
