"""What the end of an attempt says: whether its task left for good, and whether it accuses a downstream.

The words are the queue's own (taskfleet.words); they stand here again because this package knows nothing of the others.
"""

from collections.abc import Iterable
from functools import cache

from msgspec import Struct

from taskfleet_operator.scaling.memory import KindTotals
from taskfleet_operator.scaling.observation import ARRIVED, OutcomeTotal

SUCCEEDED = "succeeded"
FAILED = "failed"
RETRIED = "retried"
RELEASED = "released"
OVERLOADED = "TASK_OVERLOADED"
TIMED_OUT = "TASK_TIMED_OUT"
EXECUTION_FAILED = "TASK_EXECUTION_FAILED"
EXPIRED = "TASK_EXPIRED"


class Meaning(Struct, frozen=True, kw_only=True):
    """What one way to end says."""

    departed: bool = False
    succeeded: bool = False
    overloaded: bool = False
    faulted: bool = False


NOTHING = KindTotals()


@cache
def meaning(outcome: str, code: str) -> Meaning:
    """What an outcome with a code says.

    Permanent failures (a source that is gone, an invalid payload) depart and accuse nobody. A task that expired waited and never ran.
    """
    return Meaning(
        departed=outcome == SUCCEEDED or (outcome == FAILED and code != EXPIRED),
        succeeded=outcome == SUCCEEDED,
        overloaded=code in {OVERLOADED, TIMED_OUT},
        faulted=code == EXECUTION_FAILED,
    )


def totals_by_kind(totals: Iterable[OutcomeTotal]) -> dict[str, KindTotals]:
    """The counters added up as the law reads them."""
    sums: dict[str, list[float]] = {}
    for total in totals:
        numbers = sums.get(total.kind)
        if numbers is None:
            numbers = sums[total.kind] = [0, 0, 0, 0, 0, 0.0, 0.0]
        _add(numbers, total)
    return {kind: _totals(numbers) for kind, numbers in sums.items()}


def since(now: KindTotals, before: KindTotals) -> KindTotals:
    """What happened between two totals; a counter that fell (a restored database) counts as unchanged."""
    if now == before:
        return NOTHING
    return KindTotals(
        arrived=max(0, now.arrived - before.arrived),
        departed=max(0, now.departed - before.departed),
        succeeded=max(0, now.succeeded - before.succeeded),
        overloaded=max(0, now.overloaded - before.overloaded),
        faulted=max(0, now.faulted - before.faulted),
        busy_seconds=max(0.0, now.busy_seconds - before.busy_seconds),
        overloaded_seconds=max(0.0, now.overloaded_seconds - before.overloaded_seconds),
    )


def _add(numbers: list[float], total: OutcomeTotal) -> None:
    if total.outcome == ARRIVED:
        numbers[0] += total.count
        return
    said = meaning(total.outcome, total.code)
    numbers[1] += total.count * said.departed
    numbers[2] += total.count * said.succeeded
    numbers[3] += total.count * said.overloaded
    numbers[4] += total.count * said.faulted
    numbers[5] += total.busy_seconds
    numbers[6] += total.busy_seconds * said.overloaded


def _totals(numbers: list[float]) -> KindTotals:
    return KindTotals(
        arrived=int(numbers[0]),
        departed=int(numbers[1]),
        succeeded=int(numbers[2]),
        overloaded=int(numbers[3]),
        faulted=int(numbers[4]),
        busy_seconds=numbers[5],
        overloaded_seconds=numbers[6],
    )
