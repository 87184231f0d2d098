"""Settlements as the database takes and answers them. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class Answer(NamedTuple):
    """What the database answered to a settlement."""

    completed: Sequence[int] | None
    """Completions that held; None when all did."""
    wanted: Sequence[int]
    """Of all that has ended, what somebody waits for."""
    others: Sequence[tuple[int, str]]
    """Failures and releases that held: task and outcome."""


def answer_from(settlement: Settlement, rows: Sequence[Sequence[tuple[Any, ...]]]) -> Answer:
    """The rows of each statement of a settlement, read."""
    completed: Sequence[int] | None = None
    wanted: list[int] = []
    others = list(rows)
    if settlement.completions:
        ((completed, waited_for),) = others.pop(0)
        wanted += waited_for or ()
    ended = [row for found in others for row in found]
    wanted += (task_id for task_id, _, is_wanted in ended if is_wanted)
    return Answer(completed, wanted, [(task_id, outcome) for task_id, outcome, _ in ended])


def settled_from(settlement: Settlement, answer: Answer) -> Settled:
    """What became of each task."""
    completions = settlement.completions
    others: Sequence[Failure | Release] = (*settlement.failures, *settlement.releases)
    finished = [completion.lease.task_id for completion in completions] if answer.completed is None else list(answer.completed)
    retried = tuple(task_id for task_id, outcome in answer.others if outcome in {"retried", "released"})
    finished += (task_id for task_id, outcome in answer.others if outcome not in {"retried", "released"})
    if answer.completed is None and len(others) == len(answer.others):
        return Settled(finished=tuple(finished), retried=retried)
    answered = {*finished, *retried}
    given: Sequence[Completion | Failure | Release] = (*completions, *others)
    stale = tuple(item.lease.task_id for item in given if item.lease.task_id not in answered)
    return Settled(finished=tuple(finished), retried=retried, stale=stale)


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
