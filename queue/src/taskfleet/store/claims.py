"""Claims as the database takes and gives them. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from taskfleet.models import Claim, ClaimedTask, Mark
from taskfleet.words import Verdict

_FIELDS = (
    "task_id",
    "token",
    "kind",
    "payload",
    "headers",
    "group",
    "entity",
    "priority",
    "attempt",
    "max_attempts",
    "run_at",
    "waited_seconds",
    "timeout_seconds",
    "entity_missing",
)
"""Of a claimed task, in the order of the columns of claim_tasks.sql."""


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
    tasks = () if task_id is None else tuple(ClaimedTask(**dict(zip(_FIELDS, row[2:], strict=True))) for row in rows)
    return Claim(verdict=Verdict(verdict), tasks=tasks, limited=limited)
