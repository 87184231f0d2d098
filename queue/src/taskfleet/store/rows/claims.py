"""Claims as the database takes and gives them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from taskfleet.models import Claim, ClaimedTask, Mark
from taskfleet.store.rows.arrays import bigints, moments, texts
from taskfleet.words import Verdict


def claim_parameters(
    session_id: UUID, *, kinds: Sequence[str], limit: int, marks: Sequence[Mark], stale_slots: int
) -> Mapping[str, object]:
    """The parameters of claim_tasks.sql."""
    return {
        "session": session_id,
        "kinds": texts(kinds),
        "limit": limit,
        "mark_kinds": texts(mark.kind for mark in marks),
        "mark_priorities": bigints(mark.priority for mark in marks),
        "mark_run_ats": moments(mark.run_at for mark in marks),
        "stale_slots": stale_slots,
    }


def claim_from(rows: Sequence[tuple[Any, ...]]) -> Claim:
    """The claim that the rows of claim_tasks.sql tell of."""
    verdict, limited, task_id = rows[0][:3]
    tasks = () if task_id is None else tuple(map(_task, rows))
    return Claim(verdict=Verdict(verdict), tasks=tasks, limited=limited)


def _task(row: tuple[Any, ...]) -> ClaimedTask:
    # Unpacked in the order of the columns: it runs once a task, and is the cheapest there is.
    (_, _, task_id, token, kind, payload, headers, group, entity, priority, attempt, max_attempts, run_at, waited, timeout, missing) = row
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
        waited_seconds=waited,
        timeout_seconds=timeout,
        entity_missing=missing,
    )
