"""The TaskQueue that the demo's operator serves: the same resource that `kubectl apply` takes, in a file."""

import sys

import yaml

from taskfleet_ops.demo.story import Story

DOWNSTREAM_VARIABLE = "TASKFLEET_DEMO_DOWNSTREAM"
"""Where the handlers find the stand-in: host:port."""

_API_VERSION = "taskfleet.dev/v1alpha1"
_DRAIN_SECONDS = 1
"""Fifty times what a task takes; a killed demo's workers, whose database has gone with it, spend all of it on hope."""
_SECRET = "demo-database"  # noqa: S105 - a name


def task_queue_documents(story: Story, *, database_url: str, downstream: str) -> str:
    """The TaskQueue and its Secret, as YAML."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": _SECRET}, "stringData": {"uri": database_url}}
    return yaml.safe_dump_all([_task_queue(story, downstream=downstream), secret], sort_keys=False)


def _task_queue(story: Story, *, downstream: str) -> dict[str, object]:
    return {
        "apiVersion": _API_VERSION,
        "kind": "TaskQueue",
        "metadata": {"name": story.queue},
        "spec": {
            "database": {"secretRef": {"name": _SECRET, "key": "uri"}},
            "goal": {"maxWaitSeconds": int(story.goal_seconds)},
            "scaling": {"minReplicas": 0, "maxReplicas": story.workers},
            "lanes": {"freshSeconds": story.patience_seconds},
            "expiry": {"waitingSeconds": story.patience_seconds},
            "worker": {
                "concurrency": story.slots,
                "leaseSeconds": int(story.lease_seconds),
                "drainSeconds": _DRAIN_SECONDS,
                "template": {"spec": {"containers": [_container(downstream)]}},
            },
        },
    }


def _container(downstream: str) -> dict[str, object]:
    return {
        "name": "worker",
        "image": "taskfleet-worker",
        "command": [sys.executable, "-m", "taskfleet_worker"],
        "args": ["run", "--tasks", "taskfleet_ops.demo.tasks"],
        "env": [{"name": DOWNSTREAM_VARIABLE, "value": downstream}],
    }
