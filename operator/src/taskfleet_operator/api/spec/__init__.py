"""What a user writes under `spec:`, one file per part of it; `TaskQueueSpec` is the whole."""

from taskfleet_operator.api.spec.queue import TaskQueueSpec

__all__ = ["TaskQueueSpec"]
