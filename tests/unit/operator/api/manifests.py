"""TaskQueues for tests: a small valid one, changed where the test says."""

import copy
from typing import Any

MINIMAL: dict[str, Any] = {
    "apiVersion": "taskfleet.dev/v1alpha1",
    "kind": "TaskQueue",
    "metadata": {"name": "episodes", "namespace": "media"},
    "spec": {"database": {"secretRef": {"name": "episodes-db"}}, "worker": {"template": {}}},
}


def manifest(**spec: Any) -> dict[str, Any]:
    """The minimal TaskQueue with these fields of the spec on top."""
    made = copy.deepcopy(MINIMAL)
    made["spec"].update(spec)
    return made
