"""Claims as the database takes and gives them. Pure."""

import json
from collections.abc import Mapping, Sequence
from itertools import repeat
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
    return Claim(verdict=Verdict(verdict), tasks=() if task_id is None else _tasks(rows), limited=limited)


def _tasks(rows: Sequence[tuple[Any, ...]]) -> Sequence[ClaimedTask]:
    # Column by column: a claim has one token, and its payloads are decoded together in half the time that one by one would take.
    (_, _, ids, tokens, kinds, payloads, *others) = zip(*rows, strict=True)
    return tuple(map(ClaimedTask._make, zip(ids, repeat(UUID(tokens[0])), kinds, _decoded(payloads), *others)))


def _decoded(payloads: Sequence[str | None]) -> Sequence[object]:
    """The values of JSON texts as PostgreSQL writes them; None where there is none."""
    try:
        values: list[object] = json.loads(f"[{','.join(['null' if text is None else text for text in payloads])}]")
    except (ValueError, RecursionError):
        return [_value(text) for text in payloads]
    return values


def _value(text: str | None) -> object:
    """The value of one JSON text, or the text where Python cannot hold what PostgreSQL can: numbers of 5,000 digits, lists 1,000 deep.

    The handler's type refuses it then, which ends this one task; an error here would come back with every claim that brings it.
    """
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return text
