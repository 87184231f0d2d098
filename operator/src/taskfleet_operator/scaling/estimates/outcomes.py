"""What the end of an attempt says: whether its task left for good, and whether it accuses a downstream.

The words are the queue's own (taskfleet.words); they stand here again because this package knows nothing of the others.
"""

from collections.abc import Iterable
from functools import cache

from msgspec import Struct

from taskfleet_operator.scaling.extremes import larger
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


class Meaning(Struct, frozen=True, kw_only=True, gc=False):
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
    sums: dict[str, _Sums] = {}
    for total in totals:
        own = sums.get(total.kind)
        if own is None:
            own = sums[total.kind] = _Sums()
        own.add(total)
    return {kind: own.totals() for kind, own in sums.items()}


def since(now: KindTotals, before: KindTotals) -> KindTotals:
    """What happened between two totals; a counter that fell (a restored database) counts as unchanged."""
    if now == before:
        return NOTHING
    return KindTotals(
        arrived=larger(0, now.arrived - before.arrived),
        departed=larger(0, now.departed - before.departed),
        succeeded=larger(0, now.succeeded - before.succeeded),
        overloaded=larger(0, now.overloaded - before.overloaded),
        faulted=larger(0, now.faulted - before.faulted),
        busy_seconds=larger(0.0, now.busy_seconds - before.busy_seconds),
        overloaded_seconds=larger(0.0, now.overloaded_seconds - before.overloaded_seconds),
    )


class _Sums(Struct):
    """The counters of one kind while they are added up."""

    arrived: int = 0
    departed: int = 0
    succeeded: int = 0
    overloaded: int = 0
    faulted: int = 0
    busy_seconds: float = 0.0
    overloaded_seconds: float = 0.0

    def add(self, total: OutcomeTotal) -> None:
        if total.outcome == ARRIVED:
            self.arrived += total.count
            return
        said = meaning(total.outcome, total.code)
        self.busy_seconds += total.busy_seconds
        if said.departed:
            self.departed += total.count
        if said.succeeded:
            self.succeeded += total.count
        if said.overloaded:
            self.overloaded += total.count
            self.overloaded_seconds += total.busy_seconds
        if said.faulted:
            self.faulted += total.count

    def totals(self) -> KindTotals:
        return KindTotals(
            arrived=self.arrived,
            departed=self.departed,
            succeeded=self.succeeded,
            overloaded=self.overloaded,
            faulted=self.faulted,
            busy_seconds=self.busy_seconds,
            overloaded_seconds=self.overloaded_seconds,
        )
