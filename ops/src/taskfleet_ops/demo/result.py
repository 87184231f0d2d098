"""What the demo found out, as its JSON says it, and which of the product's promises it saw broken."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from taskfleet.words import ErrorCode

MOST_CALLS_PER_GOOD_TASK = 1.1
MOST_OVERLOAD_SHARE = 0.1
_GONE = ErrorCode.ENTITY_NOT_FOUND.value


@dataclass(frozen=True, kw_only=True)
class GoodTasks:
    """Tasks whose source exists."""

    total: int
    succeeded: int
    duplicates: int
    """Tasks with more than one good answer at the stand-in."""


@dataclass(frozen=True, kw_only=True)
class GoneTasks:
    """Tasks whose source is gone."""

    total: int
    failed: int
    """With TASK_ENTITY_NOT_FOUND."""
    max_attempts_used: int
    distinct_entities: int


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """Everything in the demo's JSON; the names are its keys."""

    good: GoodTasks
    gone: GoneTasks
    lost: int
    """Enqueued and not finished."""
    killed: int
    """Tasks whose run was cut: by a lost lease or a worker that shut down."""
    late: int
    """Tasks that waited longer than the goal, counted from their enqueueing."""
    calls_for_good: int
    calls_for_gone: int
    overload_answers: int
    peak_workers: int
    final_workers: int
    scale_actions: int
    pod_seconds: float
    seconds: float

    @property
    def tasks(self) -> int:
        """Tasks enqueued."""
        return self.good.total + self.gone.total

    @property
    def calls(self) -> int:
        """All calls at the stand-in, answered or refused."""
        return self.calls_for_good + self.calls_for_gone + self.overload_answers

    def to_dict(self) -> dict[str, object]:
        """As its JSON."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class _Promise:
    kept: bool
    otherwise: str


def broken_promises(result: DemoResult, *, most_leased: int) -> Sequence[str]:
    """A sentence for each promise that was not kept; none when all is well.

    `most_leased` is how many tasks could be leased at once: so many calls may be under way for a source before the first answer
    that it is gone. How many tasks were late is a figure, not a promise: the downstream decides how fast the backlog can go.
    """
    promises = (*_task_promises(result), *_fleet_promises(result), *_call_promises(result, most_leased=most_leased))
    return [promise.otherwise for promise in promises if not promise.kept]


def _task_promises(result: DemoResult) -> Sequence[_Promise]:
    good, gone = result.good, result.gone
    return (
        _Promise(kept=good.succeeded == good.total, otherwise=f"{good.succeeded:,} of {good.total:,} good tasks succeeded"),
        _Promise(kept=good.duplicates == 0, otherwise=f"{good.duplicates:,} good tasks had their effect more than once"),
        _Promise(
            kept=gone.failed == gone.total, otherwise=f"{gone.failed:,} of {gone.total:,} gone tasks failed with TASK_ENTITY_NOT_FOUND"
        ),
        _Promise(
            kept=gone.max_attempts_used == min(gone.total, 1),
            otherwise=f"a gone task used {gone.max_attempts_used} attempts: its first answer must end it",
        ),
        _Promise(kept=result.lost == 0, otherwise=f"{result.lost:,} tasks were lost"),
        _Promise(kept=result.killed == 0, otherwise=f"{result.killed:,} running tasks were cut off"),
    )


def _fleet_promises(result: DemoResult) -> Sequence[_Promise]:
    return (
        _Promise(kept=result.peak_workers > 0, otherwise="no worker was ever started"),
        _Promise(kept=result.final_workers == 0, otherwise=f"{result.final_workers} workers were left at the end"),
    )


def _call_promises(result: DemoResult, *, most_leased: int) -> Sequence[_Promise]:
    good, gone = result.good, result.gone
    return (
        _Promise(
            kept=result.calls_for_good <= MOST_CALLS_PER_GOOD_TASK * good.total,
            otherwise=f"good tasks took {result.calls_for_good:,} calls, more than {MOST_CALLS_PER_GOOD_TASK:g} for each of {good.total:,}",
        ),
        _Promise(
            kept=result.calls_for_gone <= gone.distinct_entities + most_leased,
            otherwise=f"gone sources took {result.calls_for_gone:,} calls, more than {gone.distinct_entities:,} sources"
            f" and {most_leased} tasks leased at once explain",
        ),
        _Promise(
            kept=result.overload_answers <= MOST_OVERLOAD_SHARE * result.calls,
            otherwise=f"{result.overload_answers:,} of {result.calls:,} calls met an overloaded downstream, more than 10 %",
        ),
    )
