"""The Deployment of a TaskQueue's workers."""

import hashlib
import json
from typing import Any

from taskfleet_operator.api.task_queue import API_VERSION, KIND, TaskQueue
from taskfleet_operator.resources.names import deployment_name, labels, selector_labels
from taskfleet_operator.resources.pod import pod_template

Manifest = dict[str, Any]


def deployment_manifest(task_queue: TaskQueue, *, schema: str) -> Manifest:
    """Build the Deployment but for its replicas, which only the live object knows.

    Raises SpecInvalidError when the template has no container `worker`.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "namespace": task_queue.key.namespace,
            "name": deployment_name(task_queue),
            "labels": labels(task_queue),
            "ownerReferences": [_owner(task_queue)],
        },
        "spec": {
            "selector": {"matchLabels": selector_labels(task_queue)},
            "revisionHistoryLimit": 3,
            # A busy worker is never taken down to make room for its replacement.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
            "template": pod_template(task_queue, schema=schema),
        },
    }


def with_live(manifest: Manifest, *, replicas: int, resource_version: str | None) -> Manifest:
    """Carry what the live object has: an apply that leaves out replicas would set them to 1."""
    version = {"resourceVersion": resource_version} if resource_version is not None else {}
    return manifest | {"metadata": manifest["metadata"] | version, "spec": manifest["spec"] | {"replicas": replicas}}


def fingerprint(manifest: Manifest) -> str:
    """Tell two manifests apart."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _owner(task_queue: TaskQueue) -> Manifest:
    """Name the TaskQueue as owner: the garbage collector then removes the Deployment with it."""
    return {"apiVersion": API_VERSION, "kind": KIND, "name": task_queue.key.name, "uid": task_queue.uid, "controller": True}
