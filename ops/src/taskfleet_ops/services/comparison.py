"""What a comparison of controllers says: a row a controller, and the course of the first run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from taskfleet_operator.simulation.result import Moment, Result
from taskfleet_operator.simulation.tasks import Workload


@dataclass(frozen=True, kw_only=True)
class Row:
    """One controller on one workload: means over the seeds."""

    workload: str
    controller: str
    about: str
    pod_seconds: float
    of_the_bound: float | None
    """Pod-seconds by those of the lower bound; None where there is none."""
    wait_p50_seconds: float
    wait_p95_seconds: float
    wait_p99_seconds: float
    late_percent: float
    killed: float
    """Tasks that lost their pod while they ran."""
    scale_actions: float
    calls_per_task: float
    most_pods: int


@dataclass(frozen=True, kw_only=True)
class Course:
    """One run in time, for a picture."""

    controller: str
    moments: Sequence[Moment]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Controllers on one workload."""

    workload: str
    tasks: int
    """Of the first seed."""
    goal_seconds: float
    max_pods: int
    slots: int
    startup_seconds: tuple[float, float]
    bound_pod_seconds: float | None
    """What nobody can go below who starts every task in time. None: no plan does, or scipy is not installed."""
    seeds: Sequence[int]
    rows: Sequence[Row]


@dataclass(frozen=True, kw_only=True)
class Played:
    """A comparison, and its first seed in time."""

    comparison: Comparison
    courses: Sequence[Course]


def row(name: str, words: str, results: Sequence[Result], bounds: Sequence[float] | None) -> Row:
    """One controller's runs, one a seed, as means; `bounds` are the least pod-seconds of each."""

    def mean(value: Callable[[Result], float]) -> float:
        return fmean(value(result) for result in results)

    return Row(
        workload=results[0].workload,
        controller=name,
        about=words,
        pod_seconds=mean(lambda result: result.pod_seconds),
        of_the_bound=fmean(result.pod_seconds / least for result, least in zip(results, bounds, strict=True)) if bounds else None,
        wait_p50_seconds=mean(lambda result: result.wait(50)),
        wait_p95_seconds=mean(lambda result: result.wait(95)),
        wait_p99_seconds=mean(lambda result: result.wait(99)),
        late_percent=mean(lambda result: result.late_percent),
        killed=mean(lambda result: result.killed),
        scale_actions=mean(lambda result: result.actions),
        calls_per_task=mean(lambda result: result.calls_per_task),
        most_pods=max(result.most_pods for result in results),
    )


def comparison(workload: Workload, rows: Sequence[Row], seeds: Sequence[int], bounds: Sequence[float] | None) -> Comparison:
    """The rows, and what was played."""
    return Comparison(
        workload=workload.name,
        tasks=len(workload.tasks),
        goal_seconds=workload.max_wait_seconds,
        max_pods=workload.max_pods,
        slots=workload.slots_per_pod,
        startup_seconds=(workload.startup_least, workload.startup_most),
        bound_pod_seconds=fmean(bounds) if bounds else None,
        seeds=seeds,
        rows=rows,
    )
