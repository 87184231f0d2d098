"""Changing tasks that are there already, as steps without I/O: cancel, retry, pause, resume. One answer a task, in the order asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from taskfleet.channels import RESULTS, result_messages
from taskfleet.client.steps import Flow, Query, ask
from taskfleet.errors import TaskNotFoundError
from taskfleet.models import Changed
from taskfleet.words import ChangeOutcome, TaskState


@dataclass(frozen=True, kw_only=True)
class _ChangedRow:
    task_id: int
    outcome: str
    state: str | None
    holder_id: int | None
    result_wanted: bool = False


class Action(StrEnum):
    """What can be wished of tasks by their ids."""

    CANCEL = "cancel"
    RETRY = "retry"
    PAUSE = "pause"
    RESUME = "resume"


def change(action: Action, task_ids: Sequence[int], *, committed: bool) -> Flow[Sequence[Changed]]:
    """Do the same to many tasks; one that is not there is an answer too.

    `committed`: each step is committed when it is answered, so that whoever waits for a result may be told of it then.
    """
    return (yield from _many(f"{action}_tasks", task_ids, committed=committed))


def cancel(task_id: int, *, committed: bool) -> Flow[Changed]:
    """Stop one task, or have it stopped; raises TaskNotFoundError. `committed` as for `change`."""
    return (yield from _one("cancel_tasks", task_id, committed=committed))


def retry(task_id: int) -> Flow[Changed]:
    """Let one failed or cancelled task wait again; raises TaskNotFoundError."""
    return (yield from _one("retry_tasks", task_id))


def retry_many(task_ids: Sequence[int]) -> Flow[Sequence[Changed]]:
    """The same for many; one that is not there is an answer too."""
    return (yield from _many("retry_tasks", task_ids))


def pause(task_id: int) -> Flow[Changed]:
    """Put one waiting task aside; raises TaskNotFoundError."""
    return (yield from _one("pause_tasks", task_id))


def resume(task_id: int) -> Flow[Changed]:
    """Let one task that was put aside wait again; raises TaskNotFoundError."""
    return (yield from _one("resume_tasks", task_id))


def _one(query: str, task_id: int, *, committed: bool = False) -> Flow[Changed]:
    (changed,) = yield from _many(query, [task_id], committed=committed)
    if changed.outcome is ChangeOutcome.NOT_FOUND:
        raise TaskNotFoundError(task_id)
    return changed


def _many(query: str, task_ids: Sequence[int], *, committed: bool = False) -> Flow[Sequence[Changed]]:
    rows = yield from ask(Query(name=query, parameters={"task_ids": list(task_ids)}, row=_ChangedRow))
    if committed and (ended := [row.task_id for row in rows if row.result_wanted]):
        yield Query(name="tell_results", parameters={"channel": RESULTS, "messages": result_messages(ended)}, row=None)
    changes = {row.task_id: _changed(row) for row in rows}
    return [changes[task_id] for task_id in task_ids]


def _changed(row: _ChangedRow) -> Changed:
    return Changed(
        task_id=row.task_id,
        outcome=ChangeOutcome(row.outcome),
        state=None if row.state is None else TaskState(row.state),
        holder_id=row.holder_id,
    )
