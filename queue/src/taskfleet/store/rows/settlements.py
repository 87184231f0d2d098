"""Settlements as the database takes and answers them. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taskfleet.models import Completion, Failure, LeaseRef, Release, Settled, Settlement
from taskfleet.store.rows.arrays import bigints, uuids

MESSAGE_CHARACTERS = 10_000
STACK_CHARACTERS = 50_000
"""An endless stack must not make a dead letter that nobody can open."""


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One query and what it is given."""

    query: str
    parameters: Mapping[str, object]


def statements_of(settlement: Settlement) -> Sequence[Statement]:
    """What to run, nothing for an empty settlement. Text that PostgreSQL cannot store is made storable: no batch may fail over it."""
    statements = []
    if settlement.completions:
        statements.append(Statement(query="complete_tasks", parameters=_completions(settlement.completions)))
    if settlement.failures:
        statements.append(Statement(query="fail_tasks", parameters=_failures(settlement.failures)))
    if settlement.releases:
        statements.append(Statement(query="release_tasks", parameters=_releases(settlement.releases)))
    return statements


def settled_from(settlement: Settlement, rows: Iterable[Sequence[Any]]) -> Settled:
    """What became of each task; `rows` are (task id, outcome …), a completion's outcome being whether its result was wanted."""
    finished: list[int] = []
    retried: list[int] = []
    for row in rows:
        outcome = row[1]
        (retried if outcome == "retried" or outcome == "released" else finished).append(row[0])  # noqa: PLR1714  # Runs once a task.
    given: Sequence[Completion | Failure | Release] = (*settlement.completions, *settlement.failures, *settlement.releases)
    if len(given) == len(finished) + len(retried):
        return Settled(finished=tuple(finished), retried=tuple(retried))
    answered = {*finished, *retried}
    stale = tuple(item.lease.task_id for item in given if item.lease.task_id not in answered)
    return Settled(finished=tuple(finished), retried=tuple(retried), stale=stale)


def _completions(completions: Sequence[Completion]) -> Mapping[str, object]:
    results = [None if completion.result is None else _json(completion.result) for completion in completions]
    return {
        **_leases(completion.lease for completion in completions),
        # A batch without any result, the usual one, carries none: unnest fills up with NULL.
        "results": results if any(result is not None for result in results) else None,
    }


def _failures(failures: Sequence[Failure]) -> Mapping[str, object]:
    return {
        **_leases(failure.lease for failure in failures),
        "codes": [str(failure.code) for failure in failures],
        "messages": [_text(failure.message)[:MESSAGE_CHARACTERS] for failure in failures],
        "stacks": [None if failure.stack is None else _text(failure.stack)[-STACK_CHARACTERS:] for failure in failures],
        "retryables": [failure.retryable for failure in failures],
        "entities": [None if failure.missing_entity is None else _text(failure.missing_entity) for failure in failures],
    }


def _releases(releases: Sequence[Release]) -> Mapping[str, object]:
    return {
        **_leases(release.lease for release in releases),
        "codes": [str(release.code) for release in releases],
        "delays": [release.delay_seconds for release in releases],
    }


def _leases(leases: Iterable[LeaseRef]) -> dict[str, object]:
    held = list(leases)
    return {"task_ids": bigints([lease.task_id for lease in held]), "tokens": uuids([lease.token for lease in held])}


def _text(text: str) -> str:
    """The text without what PostgreSQL cannot store: NUL characters and halves of surrogate pairs."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _json(result: object) -> str:
    """The result as JSON text; one that JSON cannot carry is kept as how it prints."""
    try:
        text = json.dumps(result, ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        text = json.dumps({"unserialisable": repr(result)})
    return json.dumps({"unserialisable": _text(repr(result))}) if "\\u0000" in text or "\\ud" in text else text
