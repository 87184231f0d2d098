"""The cluster: the operator's only Kubernetes client. Manifests go in as plain dicts, frozen values come out.

Every write names the field manager `taskfleet`. Nothing is retried here: the next tick is the retry.
"""

import base64
import binascii
import json
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Self

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from taskfleet_operator.errors import ClusterUnreachableError, ObjectInvalidError, ObjectMissingError, refusal_of
from taskfleet_operator.objects import (
    DELETION_COST,
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    PODS,
    SECRETS,
    TASK_QUEUES,
    DeploymentSeen,
    EventNote,
    LeaseSeen,
    ObjectKey,
    ObjectKind,
    Sighting,
    read_deployment,
    read_lease,
)

FIELD_MANAGER = "taskfleet"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 10.0
"""Longest wait for an answer. The API server answers within milliseconds; one that does not is treated as away."""
WATCH_SECONDS = 300
"""How long one watch stream lasts before it is opened anew."""
SILENT_SECONDS = 90.0
"""A watch stream that says nothing for so long is dead: a bookmark comes every minute."""
_MANAGER_QUERY = {"fieldManager": FIELD_MANAGER}
_APPLY_QUERY = {"fieldManager": FIELD_MANAGER, "force": "true"}


class Cluster:
    """One API server, as the operator uses it.

    Every method raises ClusterUnreachableError when no proper answer came, ClusterRefusedError when the operator may not,
    ObjectMissingError, ObjectConflictError or ObjectInvalidError for what is wrong with the object.
    """

    def __init__(self, client: ApiClient, *, reporter: str = "") -> None:
        self._client = client
        self._reporter = reporter or os.environ.get("HOSTNAME", "taskfleet-operator")

    @classmethod
    async def connect(cls) -> Self:
        """Make a client from $KUBECONFIG or ~/.kube/config where one is, else from the pod's service account."""
        configuration = Configuration()
        try:
            if "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
                config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            else:
                chosen = os.environ.get("KUBECONFIG")  # read here: the client reads it when it is imported
                await config.load_kube_config(config_file=chosen, client_configuration=configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            message = f"no way to a Kubernetes API server: {error}; set KUBECONFIG, or run in a pod with a service account"
            raise ClusterUnreachableError(message) from error
        return cls(ApiClient(configuration))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def get(self, kind: ObjectKind, key: ObjectKey) -> dict[str, Any]:
        """Read one object."""
        return await self._request("GET", kind.path(namespace=key.namespace, name=key.name))

    async def apply(self, kind: ObjectKind, manifest: Mapping[str, object]) -> dict[str, Any]:
        """Create the object or bring it to what the manifest says (server-side apply).

        A field that an earlier apply named and this one does not is removed. With metadata.resourceVersion the apply is refused
        (ObjectConflictError) when the object has changed since.
        """
        metadata = manifest["metadata"]
        assert isinstance(metadata, Mapping)
        path = kind.path(namespace=metadata["namespace"], name=metadata["name"])
        return await self._request("PATCH", path, query=_APPLY_QUERY, body=manifest, content_type=APPLY)

    async def apply_deployment(self, manifest: Mapping[str, object]) -> DeploymentSeen:
        """Apply a Deployment. Name its live replicas (0 to create) and resourceVersion: apply resets what it does not name."""
        return read_deployment(await self.apply(DEPLOYMENTS, manifest))

    async def deployment(self, key: ObjectKey) -> DeploymentSeen | None:
        """Read one Deployment; None where there is none."""
        try:
            return read_deployment(await self.get(DEPLOYMENTS, key))
        except ObjectMissingError:
            return None

    async def scale_deployment(self, key: ObjectKey, *, replicas: int, resource_version: str) -> None:
        """Set the replicas through the scale subresource; ObjectConflictError when the Deployment has changed since that version."""
        path = DEPLOYMENTS.path(namespace=key.namespace, name=key.name, subresource="scale")
        body = {"metadata": {"resourceVersion": resource_version}, "spec": {"replicas": replicas}}
        await self._request("PATCH", path, query=_MANAGER_QUERY, body=body, content_type=MERGE)

    async def apply_status(self, key: ObjectKey, status: Mapping[str, object], *, kind: ObjectKind = TASK_QUEUES) -> None:
        """Make this the whole status of a TaskQueue: what an earlier status named and this one does not is removed."""
        manifest = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"namespace": key.namespace, "name": key.name},
            "status": status,
        }
        path = kind.path(namespace=key.namespace, name=key.name, subresource="status")
        await self._request("PATCH", path, query=_APPLY_QUERY, body=manifest, content_type=APPLY)

    async def set_deletion_cost(self, pod: ObjectKey, *, cost: int) -> None:
        """Tell the pod's ReplicaSet how dear the pod is: lower goes first, among pods that are ready."""
        body = {"metadata": {"annotations": {DELETION_COST: str(cost)}}}
        await self._request("PATCH", PODS.path(namespace=pod.namespace, name=pod.name), query=_MANAGER_QUERY, body=body, content_type=MERGE)

    async def secret_value(self, secret: ObjectKey, *, key: str) -> str:
        """Read one entry of a Secret by name; ObjectMissingError names what is missing, the Secret or the key."""
        data = (await self.get(SECRETS, secret)).get("data") or {}
        if key not in data:
            message = f"Secret {secret} has no key {key!r}, only {sorted(data) or 'none at all'}: add it, or name the right key"
            raise ObjectMissingError(message)
        try:
            return base64.b64decode(data[key]).decode().strip()
        except (binascii.Error, UnicodeDecodeError) as error:
            message = f"Secret {secret}, key {key!r}: not text"
            raise ObjectInvalidError(message) from error

    async def record_event(self, event: EventNote) -> None:
        """Write an Event about an object; `kubectl describe` shows it."""
        body = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"namespace": event.key.namespace, "name": f"{event.key.name}.{secrets.token_hex(8)}"},
            "eventTime": _now(),
            "reportingController": "taskfleet.dev/operator",
            "reportingInstance": self._reporter[:128],
            "type": event.type.value,
            "reason": event.reason,
            "action": event.action,
            "note": event.note[:1024],
            "regarding": {
                "apiVersion": event.kind.api_version,
                "kind": event.kind.kind,
                "namespace": event.key.namespace,
                "name": event.key.name,
                "uid": event.uid,
            },
        }
        await self._request("POST", EVENTS.path(namespace=event.key.namespace), query=_MANAGER_QUERY, body=body)

    async def lease(self, key: ObjectKey) -> LeaseSeen | None:
        """Read a leader election lease; None where there is none."""
        try:
            return read_lease(await self.get(LEASES, key))
        except ObjectMissingError:
            return None

    async def write_lease(self, key: ObjectKey, lease: LeaseSeen) -> LeaseSeen:
        """Create the lease (no version) or replace the one of that version; ObjectConflictError when somebody else was first."""
        metadata = {"namespace": key.namespace, "name": key.name}
        spec: dict[str, object] = {
            "holderIdentity": lease.holder or "",
            "leaseDurationSeconds": max(1, round(lease.duration_seconds)),
            "leaseTransitions": lease.transitions,
            "renewTime": _now(),
        }
        body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}
        if lease.resource_version is None:
            answer = await self._request("POST", LEASES.path(namespace=key.namespace), query=_MANAGER_QUERY, body=body)
        else:
            metadata["resourceVersion"] = lease.resource_version
            path = LEASES.path(namespace=key.namespace, name=key.name)
            answer = await self._request("PUT", path, query=_MANAGER_QUERY, body=body)
        return read_lease(answer)

    async def list(self, kind: ObjectKind, *, namespace: str | None = None, labels: str = "") -> tuple[dict[str, Any], ...]:
        """Read all objects of a kind, of one namespace or of all."""
        answer = await self._request("GET", kind.path(namespace=namespace), query={"labelSelector": labels})
        return tuple(answer["items"])

    async def watch(self, kind: ObjectKind, *, namespace: str | None = None, labels: str = "") -> AsyncIterator[Sighting]:
        """Give what is there, then every change, until the API server ends the stream (after some minutes); then watch again.

        The first sighting carries everything (forget what is not in it), each later one a change, or nothing: a mere sign of life.
        """
        path = kind.path(namespace=namespace)
        # Version 0: served from the API server's memory.
        listed = await self._request("GET", path, query={"labelSelector": labels, "resourceVersion": "0"})
        yield Sighting(everything=True, present=tuple(listed["items"]))
        query = {
            "labelSelector": labels,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": listed["metadata"]["resourceVersion"],
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=WATCH_SECONDS + REQUEST_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=SILENT_SECONDS)
        async with self._answer("GET", path, query=query, timeout=timeout) as response:
            async for line in response.content:
                event = json.loads(line)
                match event["type"]:
                    case "ADDED" | "MODIFIED":
                        yield Sighting(present=(event["object"],))
                    case "DELETED":
                        yield Sighting(gone=(event["object"],))
                    case "BOOKMARK":
                        yield Sighting()
                    case "ERROR":  # 410: the version is too old; whoever watches begins anew.
                        return

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=CONNECT_SECONDS)
        async with self._answer(method, path, query=query, body=body, content_type=content_type, timeout=timeout) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        *,
        timeout: aiohttp.ClientTimeout,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        content_type: str = "application/json",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and give the answer while it is good; anything else becomes one of our errors."""
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            request = await self._client.param_serialize(
                method, path, query_params=list((query or {}).items()), header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            answer = await self._client.call_api(*request, _request_timeout=timeout)
            async with answer.response as response:
                if response.status >= 300:
                    raise refusal_of(response.status, await response.text(), attempt=f"{method} {path}")
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError, json.JSONDecodeError) as error:
            message = f"the Kubernetes API server did not answer {method} {path}: {type(error).__name__} {error}"
            raise ClusterUnreachableError(message) from error


def _now() -> str:
    """Give this moment as the API server writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
