"""The CustomResourceDefinition around the schema."""

from typing import Any

import yaml

from taskfleet_operator.api.generate.schema import Schema, structural_schema
from taskfleet_operator.api.spec import TaskQueueSpec
from taskfleet_operator.api.status import TaskQueueStatus
from taskfleet_operator.api.task_queue import GROUP, KIND, OBJECT_RULES, PLURAL, VERSION

HEADER = "# Generated from the model in taskfleet_operator.api by `make generate`. Change the model, not this file.\n"

_COLUMNS = (
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0, "Nothing stands between the work and its workers"),
    ("Active", "string", '.status.conditions[?(@.type=="Active")].status', 0, "There is work, or there are workers"),
    ("Replicas", "integer", ".status.replicas", 0, "Workers that exist"),
    ("Desired", "integer", ".status.desiredReplicas", 0, "Workers the operator asks for"),
    ("Max", "integer", ".spec.scaling.maxReplicas", 0, "Workers that are never exceeded"),
    ("Backlog", "integer", ".status.tasks.ready", 0, "Tasks that wait for a worker"),
    ("Oldest", "number", ".status.oldestReadySeconds", 0, "How long the oldest of them has waited, in seconds"),
    ("Reason", "string", ".status.decision.reason", 1, "The rule that decided the number of workers"),
    ("Failed%", "number", ".status.failurePercent", 1, "Attempts that failed recently, in percent"),
    ("Rate", "number", ".status.ratePerMinute", 1, "Tasks finished well per minute"),
    ("Queue", "string", ".spec.queue", 1, "Name of the queue, where it is not the name of the object"),
    ("Age", "date", ".metadata.creationTimestamp", 0, "When the object was made"),
)


def task_queue_schema() -> Schema:
    """Give the schema of a whole TaskQueue."""
    return {
        "type": "object",
        "description": "A queue of tasks in PostgreSQL and the fleet of workers that serves it.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "taskfleet.dev/v1alpha1"},
            "kind": {"type": "string", "description": "TaskQueue"},
            "metadata": {"type": "object"},
            "spec": structural_schema(TaskQueueSpec),
            "status": structural_schema(TaskQueueStatus),
        },
        "x-kubernetes-validations": [{"rule": rule.cel, "message": rule.message} for rule in OBJECT_RULES],
    }


def custom_resource_definition() -> dict[str, Any]:
    """Give the CRD as the API server takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["tq"],
                "categories": ["taskfleet"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
                    "schema": {"openAPIV3Schema": task_queue_schema()},
                }
            ],
        },
    }


def crd_text() -> str:
    """Give the CRD as the committed file holds it."""
    return HEADER + yaml.safe_dump(custom_resource_definition(), sort_keys=False, width=140, allow_unicode=True)


def _column(name: str, type_: str, json_path: str, priority: int, description: str) -> dict[str, object]:
    column: dict[str, object] = {"name": name, "type": type_, "jsonPath": json_path, "description": description}
    return column | ({"priority": priority} if priority else {})
