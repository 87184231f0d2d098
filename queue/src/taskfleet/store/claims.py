"""Claims as the database takes and gives them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from taskfleet.models import Claim, ClaimedTask, Mark
from taskfleet.words import Verdict


def claim_parameters(
    session_id: UUID, *, kinds: Sequence[str], limit: int, marks: Sequence[Mark], stale_slots: int
) -> Mapping[str, object]:
    """The parameters of claim_tasks.sql."""
    return {
        "session": session_id,
        "kinds": list(kinds),
        "limit": limit,
        "mark_kinds": [mark.kind for mark in marks],
        "mark_priorities": [mark.priority for mark in marks],
        "mark_run_ats": [mark.run_at for mark in marks],
        "stale_slots": stale_slots,
    }


def claim_from(rows: Sequence[tuple[Any, ...]]) -> Claim:
    """The claim that the rows of claim_tasks.sql tell of."""
    verdict, limited, task_id = rows[0][:3]
    tasks = () if task_id is None else tuple(_task(*row[2:]) for row in rows)
    return Claim(verdict=Verdict(verdict), tasks=tasks, limited=limited)


def _task(  # noqa: PLR0913  # One parameter a column, in their order: unpacking is what makes this cheap, and it runs once a task.
    task_id: int,
    token: UUID,
    kind: str,
    payload: object,
    headers: Mapping[str, str] | None,
    group: str | None,
    entity: str | None,
    priority: int,
    attempt: int,
    max_attempts: int,
    run_at: Any,
    waited_seconds: float,
    timeout_seconds: float | None,
    entity_missing: bool,  # noqa: FBT001
) -> ClaimedTask:
    return ClaimedTask(
        task_id=task_id,
        token=token,
        kind=kind,
        payload=payload,
        headers=headers,
        group=group,
        entity=entity,
        priority=priority,
        attempt=attempt,
        max_attempts=max_attempts,
        run_at=run_at,
        waited_seconds=waited_seconds,
        timeout_seconds=timeout_seconds,
        entity_missing=entity_missing,
    )
