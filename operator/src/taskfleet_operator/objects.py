"""What the operator sees of Kubernetes objects: frozen values read out of manifests, and the few it writes.

Pure: manifests in (as the API server answers them), values out. Nothing here talks to a cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""Annotation of a pod; a ReplicaSet removes ready pods of lower cost first."""


@dataclass(frozen=True, kw_only=True)
class ObjectKind:
    """A kind of object and where the API server keeps it."""

    api_version: str
    kind: str
    plural: str

    def path(self, *, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Give the URL path of a collection, of one object, or of its subresource; without a namespace: of all namespaces."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        parts = [root, *(["namespaces", namespace] if namespace else []), self.plural, name, subresource]
        return "/".join(part for part in parts if part)


TASK_QUEUES = ObjectKind(api_version="taskfleet.dev/v1alpha1", kind="TaskQueue", plural="taskqueues")
DEPLOYMENTS = ObjectKind(api_version="apps/v1", kind="Deployment", plural="deployments")
PODS = ObjectKind(api_version="v1", kind="Pod", plural="pods")
SECRETS = ObjectKind(api_version="v1", kind="Secret", plural="secrets")
LEASES = ObjectKind(api_version="coordination.k8s.io/v1", kind="Lease", plural="leases")
EVENTS = ObjectKind(api_version="events.k8s.io/v1", kind="Event", plural="events")


@dataclass(frozen=True, kw_only=True, order=True)
class ObjectKey:
    """Where an object is."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class PodSeen:
    """One pod as the operator last saw it."""

    key: ObjectKey
    uid: str
    labels: Mapping[str, str] = field(default_factory=dict)
    phase: str
    """Pending, Running, Succeeded, Failed or Unknown."""
    ready: bool
    terminating: bool
    deletion_cost: int = 0
    created_at: datetime
    ready_at: datetime | None = None
    """When it last became ready; None while it is not."""
    waiting: str | None = None
    """Why it does not run yet, in Kubernetes' own words: unschedulable, image not pulled, crashed."""

    @property
    def startup_seconds(self) -> float | None:
        """Creation to readiness; None while it is not ready."""
        return None if self.ready_at is None else (self.ready_at - self.created_at).total_seconds()


@dataclass(frozen=True, kw_only=True)
class DeploymentSeen:
    """One Deployment as the operator last saw it."""

    key: ObjectKey
    uid: str
    resource_version: str
    generation: int
    observed_generation: int
    replicas: int
    """What its spec asks for."""
    existing: int
    """Pods that exist and do not terminate, of all its ReplicaSets."""
    updated: int
    ready: int
    selector: str
    """As the scale subresource prints it: `key=value,…`."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    failure: str | None = None
    """Why its pods cannot be created (quota, admission), in Kubernetes' own words."""

    @property
    def rolling(self) -> bool:
        """True while two ReplicaSets share the pods: a scale-down then hits both, and deletion cost cannot steer it."""
        return self.observed_generation < self.generation or self.updated < self.existing


@dataclass(frozen=True, kw_only=True)
class LeaseSeen:
    """A leader election lease; the version is what a later write must show."""

    holder: str | None
    duration_seconds: float
    transitions: int = 0
    resource_version: str | None = None
    """Changes with every renewal; None: the lease does not exist yet."""


class EventType(StrEnum):
    """How Kubernetes paints an Event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, kw_only=True)
class EventNote:
    """Something that happened to an object, for people who `kubectl describe` it."""

    key: ObjectKey
    uid: str
    kind: ObjectKind = TASK_QUEUES
    type: EventType = EventType.NORMAL
    reason: str
    """PascalCase constant."""
    action: str
    """What the operator did or tried, PascalCase: Scale, Observe, Validate."""
    note: str
    """A sentence with numbers; cut at 1,024 characters, as the API demands."""


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What one step of a watch brought, as manifests."""

    everything: bool = False
    """True: `present` is the full picture; what is not in it is gone."""
    present: tuple[dict[str, Any], ...] = ()
    gone: tuple[dict[str, Any], ...] = ()


def read_time(text: str | None) -> datetime | None:
    """Read an aware moment out of the API server's RFC 3339 text."""
    return None if text is None else datetime.fromisoformat(text)


def key_of(manifest: Mapping[str, Any]) -> ObjectKey:
    """Tell where a namespaced object is."""
    return ObjectKey(namespace=manifest["metadata"]["namespace"], name=manifest["metadata"]["name"])


def read_pod(manifest: Mapping[str, Any]) -> PodSeen:
    """Read a pod out of its manifest."""
    metadata, status = manifest["metadata"], manifest.get("status", {})
    ready: Mapping[str, Any] = next((each for each in status.get("conditions", []) if each["type"] == "Ready"), {})
    is_ready = ready.get("status") == "True"
    created_at = read_time(metadata["creationTimestamp"])
    assert created_at is not None
    return PodSeen(
        key=key_of(manifest),
        uid=metadata["uid"],
        labels=metadata.get("labels", {}),
        phase=status.get("phase", "Pending"),
        ready=is_ready,
        terminating="deletionTimestamp" in metadata,
        deletion_cost=_deletion_cost(metadata.get("annotations", {})),
        created_at=created_at,
        ready_at=read_time(ready.get("lastTransitionTime")) if is_ready else None,
        waiting=None if is_ready else _waiting(status),
    )


def read_deployment(manifest: Mapping[str, Any]) -> DeploymentSeen:
    """Read a Deployment out of its manifest."""
    metadata, spec, status = manifest["metadata"], manifest["spec"], manifest.get("status", {})
    failed = [each for each in status.get("conditions", []) if each["type"] == "ReplicaFailure" and each["status"] == "True"]
    return DeploymentSeen(
        key=key_of(manifest),
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        generation=metadata["generation"],
        observed_generation=status.get("observedGeneration", 0),
        replicas=spec["replicas"],
        existing=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        selector=",".join(f"{key}={value}" for key, value in sorted(spec["selector"].get("matchLabels", {}).items())),
        labels=metadata.get("labels", {}),
        annotations=metadata.get("annotations", {}),
        failure=failed[0].get("message") if failed else None,
    )


def read_lease(manifest: Mapping[str, Any]) -> LeaseSeen:
    """Read a lease out of its manifest; fields nobody wrote yet count as expired."""
    spec = manifest.get("spec", {})
    return LeaseSeen(
        holder=spec.get("holderIdentity") or None,
        duration_seconds=spec.get("leaseDurationSeconds", 0),
        transitions=spec.get("leaseTransitions", 0),
        resource_version=manifest["metadata"]["resourceVersion"],
    )


def _deletion_cost(annotations: Mapping[str, str]) -> int:
    try:
        return int(annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _waiting(status: Mapping[str, Any]) -> str | None:
    """Find the most telling reason why a pod does not run: its containers' first, then its scheduling."""
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        waiting = container.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return ": ".join(filter(None, (waiting["reason"], waiting.get("message"))))
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
    return None
