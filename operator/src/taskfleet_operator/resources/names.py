"""Names and labels of what belongs to a TaskQueue."""

from typing import Final

from taskfleet_operator.api.task_queue import TaskQueue

TASK_QUEUE_LABEL: Final = "taskfleet.dev/taskqueue"
"""Name of the TaskQueue: what the Deployment selects its pods by, and the operator finds both by."""
QUEUE_LABEL: Final = "taskfleet.dev/queue"
"""Name of the queue in the database, for people and dashboards."""
DATABASE_VOLUME: Final = "taskfleet-database"
DATABASE_FOLDER: Final = "/etc/taskfleet/database"
DATABASE_FILE: Final = "uri"
LONGEST_NAME: Final = 253


def deployment_name(task_queue: TaskQueue) -> str:
    """Name the Deployment of a TaskQueue's workers."""
    return f"{task_queue.key.name}-workers"


def selector_labels(task_queue: TaskQueue) -> dict[str, str]:
    """Give the labels that find the workers of a TaskQueue, and never change."""
    return {TASK_QUEUE_LABEL: task_queue.key.name}


def labels(task_queue: TaskQueue) -> dict[str, str]:
    """Give all labels of a TaskQueue's Deployment and pods."""
    return {
        "app.kubernetes.io/name": "taskfleet-worker",
        "app.kubernetes.io/instance": task_queue.key.name,
        "app.kubernetes.io/managed-by": "taskfleet",
        QUEUE_LABEL: task_queue.queue,
        **selector_labels(task_queue),
    }
