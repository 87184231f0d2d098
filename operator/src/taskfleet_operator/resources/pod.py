"""The pod of a worker: the user's template, and what every worker is told. The user's own values win, one by one."""

import copy
from collections.abc import Mapping
from typing import Any, Final

from taskfleet_operator.api.convert import termination_grace_seconds
from taskfleet_operator.api.task_queue import TaskQueue
from taskfleet_operator.api.template import WORKER_CONTAINER, worker_container
from taskfleet_operator.resources.names import DATABASE_FILE, DATABASE_FOLDER, DATABASE_VOLUME, labels

HTTP_PORT: Final = 8080
HTTP_PORT_NAME: Final = "taskfleet"
Manifest = dict[str, Any]

_POD_SECURITY: Final = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_CONTAINER_SECURITY: Final = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
"""With the pod's: what Pod Security "restricted" asks for."""


def pod_template(task_queue: TaskQueue, *, schema: str) -> Manifest:
    """Complete the template of a TaskQueue; raises SpecInvalidError when it has no container `worker`."""
    worker_container(task_queue)
    template: Manifest = copy.deepcopy(task_queue.spec.worker.template or {})
    metadata, spec = template.setdefault("metadata", {}), template["spec"]
    metadata["labels"] = {**metadata.get("labels", {}), **labels(task_queue)}
    spec["securityContext"] = _POD_SECURITY | spec.get("securityContext", {})
    spec.setdefault("automountServiceAccountToken", False)
    spec.setdefault("enableServiceLinks", False)
    spec.setdefault("terminationGracePeriodSeconds", termination_grace_seconds(task_queue))
    spec["volumes"] = _joined(spec.get("volumes", []), [_database_volume(task_queue)])
    spec["containers"] = [
        _worker(task_queue, container, schema=schema) if container["name"] == WORKER_CONTAINER else container
        for container in spec["containers"]
    ]
    return template


def _worker(task_queue: TaskQueue, container: Mapping[str, Any], *, schema: str) -> Manifest:
    """Complete the container that runs the tasks."""
    env = _joined(container.get("env", []), _contract(task_queue, schema=schema))
    port = _port(env)
    mount = {"name": DATABASE_VOLUME, "mountPath": DATABASE_FOLDER, "readOnly": True}
    return {
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "livenessProbe": _probe("/livez", period=10, failures=3),
        # Quick, since a worker counts as started from here on; it stays ready while it drains and without its database.
        "readinessProbe": _probe("/readyz", period=1, failures=3),
        **container,
        "env": env,
        "ports": _joined(container.get("ports", []), [{"name": HTTP_PORT_NAME, "containerPort": port}]),
        "volumeMounts": _joined(container.get("volumeMounts", []), [mount]),
        "securityContext": _CONTAINER_SECURITY | container.get("securityContext", {}),
    }


def _contract(task_queue: TaskQueue, *, schema: str) -> list[Manifest]:
    """Give what every worker is told about itself, its queue and its database."""
    worker = task_queue.spec.worker
    literals = {
        "TASKFLEET_DATABASE_URL_FILE": f"{DATABASE_FOLDER}/{DATABASE_FILE}",
        "TASKFLEET_SCHEMA": schema,
        "TASKFLEET_QUEUE": task_queue.queue,
        "TASKFLEET_CONCURRENCY": str(worker.concurrency),
        "TASKFLEET_LEASE_SECONDS": str(worker.lease_seconds),
        "TASKFLEET_DRAIN_SECONDS": str(termination_grace_seconds(task_queue)),
        "TASKFLEET_HTTP_PORT": str(HTTP_PORT),
        "TASKFLEET_NAMESPACE": task_queue.key.namespace,
    }
    fields = {"TASKFLEET_WORKER_ID": "metadata.name", "TASKFLEET_POD_UID": "metadata.uid"}
    return [
        *({"name": name, "value": value} for name, value in literals.items()),
        *({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}} for name, path in fields.items()),
    ]


def _database_volume(task_queue: TaskQueue) -> Manifest:
    """Mount the Secret as a folder, never by subPath: only then a rotated password appears in a running pod."""
    secret = task_queue.spec.database.secret_ref
    items = [{"key": secret.key, "path": DATABASE_FILE}]
    return {"name": DATABASE_VOLUME, "secret": {"secretName": secret.name, "items": items, "defaultMode": 0o444}}


def _probe(path: str, *, period: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": HTTP_PORT_NAME},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _port(env: list[Manifest]) -> int:
    """Give the port that the worker serves its probes at: the user may have chosen another one."""
    value = next((entry.get("value") for entry in env if entry["name"] == "TASKFLEET_HTTP_PORT"), None)
    return int(value) if isinstance(value, str) and value.isdecimal() else HTTP_PORT


def _joined(own: list[Manifest], ours: list[Manifest]) -> list[Manifest]:
    """Put two lists of named objects together; where both name one, the user's own stands."""
    names = {entry.get("name") for entry in own}
    return [*own, *(entry for entry in ours if entry["name"] not in names)]
