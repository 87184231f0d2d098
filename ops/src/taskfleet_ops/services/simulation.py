"""What a fleet would have cost and how long tasks would have waited: one workload, played under several controllers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from statistics import fmean

from taskfleet_operator.simulation.best_keda import best, settings, tried
from taskfleet_operator.simulation.controllers import Controller
from taskfleet_operator.simulation.engine import Simulation
from taskfleet_operator.simulation.result import Moment, Result
from taskfleet_operator.simulation.rivals.roster import about, controller
from taskfleet_operator.simulation.tasks import Workload
from taskfleet_operator.simulation.trace import TraceError, read_trace
from taskfleet_operator.simulation.workloads import FIVE
from taskfleet_ops.errors import TraceFileError

BEST_KEDA = "keda-best"
"""Not one controller but the best of many, found by trying them on the workload itself."""

Told = Callable[[str], None]
"""Hears what is being played."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a workload is played under; None: as the workload has it."""

    goal_seconds: float | None = None
    max_pods: int | None = None
    slots: int | None = None
    startup_seconds: tuple[float, float] | None = None

    def applied(self, workload: Workload) -> Workload:
        """The workload under these terms."""
        least, most = self.startup_seconds or (workload.startup_least, workload.startup_most)
        return replace(
            workload,
            max_wait_seconds=self.goal_seconds or workload.max_wait_seconds,
            max_pods=self.max_pods or workload.max_pods,
            slots_per_pod=self.slots or workload.slots_per_pod,
            startup_least=least,
            startup_most=most,
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One controller on one workload: means over the seeds."""

    workload: str
    controller: str
    about: str
    pod_seconds: float
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
    seeds: Sequence[int]
    rows: Sequence[Row]


@dataclass(frozen=True, kw_only=True)
class Played:
    """A comparison, and its first seed in time."""

    comparison: Comparison
    courses: Sequence[Course]


def made(name: str, terms: Terms, seeds: Sequence[int]) -> Sequence[Workload]:
    """The workload of this name, once a seed."""
    return [terms.applied(FIVE[name](Random(seed))) for seed in seeds]


def traced(path: Path, terms: Terms, seeds: Sequence[int]) -> Sequence[Workload]:
    """A recorded history; each seed has the same tasks, only how long pods take to start differs. Raises TraceFileError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            tasks = read_trace(file)
    except (OSError, UnicodeDecodeError, TraceError) as error:
        raise TraceFileError(path=path, fault=str(error)) from error
    workload = Workload(name=path.stem, tasks=tasks, max_wait_seconds=120.0, max_pods=100, horizon_seconds=tasks[-1].arrival)
    return [terms.applied(workload) for _ in seeds]


def play(workloads: Sequence[Workload], controllers: Sequence[str], *, seeds: Sequence[int], told: Told) -> Played:
    """Play each workload under each controller; `workloads` and `seeds` go together."""
    rows, courses = [], []
    for name in controllers:
        make, words = _maker(name, workloads, seeds=seeds, told=told)
        results = []
        for seed, workload in zip(seeds, workloads, strict=True):
            told(f"{workload.name}: {name}, seed {seed}")
            results.append(Simulation(workload, make(workload, seed=seed), seed=seed).run(moments=seed == seeds[0]))
        courses.append(Course(controller=name, moments=results[0].moments))
        rows.append(_row(name, words, results))
    return Played(comparison=_comparison(workloads[0], rows, seeds), courses=courses)


def _maker(name: str, workloads: Sequence[Workload], *, seeds: Sequence[int], told: Told) -> tuple[Callable[..., Controller], str]:
    if name != BEST_KEDA:
        return partial(controller, name), about(name)
    trials = []
    for setting in settings():
        told(f"{workloads[0].name}: trying KEDA with {setting}")
        trials.append(tried(setting, workloads[:1], seed=seeds[0]))
    setting = best(trials).setting
    return setting.controller, f"best of {len(trials)} settings, chosen with hindsight: {setting}"


def _row(name: str, words: str, results: Sequence[Result]) -> Row:
    def mean(value: Callable[[Result], float]) -> float:
        return fmean(value(result) for result in results)

    return Row(
        workload=results[0].workload,
        controller=name,
        about=words,
        pod_seconds=mean(lambda result: result.pod_seconds),
        wait_p50_seconds=mean(lambda result: result.wait(50)),
        wait_p95_seconds=mean(lambda result: result.wait(95)),
        wait_p99_seconds=mean(lambda result: result.wait(99)),
        late_percent=mean(lambda result: result.late_percent),
        killed=mean(lambda result: result.killed),
        scale_actions=mean(lambda result: result.actions),
        calls_per_task=mean(lambda result: result.calls_per_task),
        most_pods=max(result.most_pods for result in results),
    )


def _comparison(workload: Workload, rows: Sequence[Row], seeds: Sequence[int]) -> Comparison:
    return Comparison(
        workload=workload.name,
        tasks=len(workload.tasks),
        goal_seconds=workload.max_wait_seconds,
        max_pods=workload.max_pods,
        slots=workload.slots_per_pod,
        startup_seconds=(workload.startup_least, workload.startup_most),
        seeds=seeds,
        rows=rows,
    )
