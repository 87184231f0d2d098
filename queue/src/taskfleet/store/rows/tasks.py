"""Tasks as the database gives them: rows with the columns of get_task.sql. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from taskfleet.models import Attempt, Task
from taskfleet.words import DeadReason, TaskState


def task_from(row: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]] = ()) -> Task:
    """The task that a row tells of, with its attempts, oldest first."""
    columns = dict(row)
    group, state, reason = columns.pop("group_name"), columns.pop("state"), columns.pop("dead_reason")
    return Task(
        **columns,
        group=group,
        state=TaskState(state),
        dead_reason=None if reason is None else DeadReason(reason),
        attempts=tuple(Attempt(**attempt) for attempt in attempts),
    )
