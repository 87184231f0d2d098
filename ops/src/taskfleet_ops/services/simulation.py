"""What a fleet would have cost and how long tasks would have waited: one workload, played under several controllers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from statistics import fmean

from taskfleet_operator.api.convert import scaling_policy
from taskfleet_operator.api.reading import read_task_queue
from taskfleet_operator.api.task_queue import KIND
from taskfleet_operator.errors import SpecInvalidError
from taskfleet_operator.scaling import QueueObservation, ScalingPolicy
from taskfleet_operator.simulation.best_keda import best, settings, tried
from taskfleet_operator.simulation.bound import lower_bound
from taskfleet_operator.simulation.controllers import Controller, Law, Orders
from taskfleet_operator.simulation.engine import Simulation
from taskfleet_operator.simulation.result import Moment, Result
from taskfleet_operator.simulation.rivals.roster import about, controller, under
from taskfleet_operator.simulation.tasks import Workload
from taskfleet_operator.simulation.trace import TraceError, read_trace
from taskfleet_operator.simulation.workloads import FIVE
from taskfleet_ops.errors import TaskQueueFileError, TraceFileError

OURS = "taskfleet"
TICK_SECONDS = 2.0
"""As the operator looks by default."""
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
    policy: ScalingPolicy | None = None
    """Of a TaskQueue: its goal and limits come before those of the workload, and our law follows the whole of it."""

    def applied(self, workload: Workload) -> Workload:
        """The workload under these terms."""
        least, most = self.startup_seconds or (workload.startup_least, workload.startup_most)
        if self.policy is not None:
            workload = replace(
                workload,
                max_wait_seconds=self.policy.max_wait_seconds,
                max_pods=self.policy.max_replicas,
                slots_per_pod=self.policy.slots_per_replica,
                kinds=self.policy.kinds,
                lanes=self.policy.lanes,
            )
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


def policy_in(path: Path) -> ScalingPolicy:
    """What the one TaskQueue in a file asks for. Raises TaskQueueFileError."""
    import yaml

    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TaskQueueFileError(path=path, fault=" ".join(str(error).split())) from error
    queues = [document for document in documents if isinstance(document, dict) and document.get("kind") == KIND]
    if len(queues) != 1:
        raise TaskQueueFileError(path=path, fault=f"it holds {len(queues)} TaskQueues where one is wanted")
    try:
        return scaling_policy(read_task_queue(queues[0], unknown_fields=False), tick_seconds=TICK_SECONDS)
    except SpecInvalidError as error:
        raise TaskQueueFileError(path=path, fault=str(error)) from error


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


def play(
    workloads: Sequence[Workload], controllers: Sequence[str], *, seeds: Sequence[int], told: Told, policy: ScalingPolicy | None = None
) -> Played:
    """Play each workload under each controller; `workloads` and `seeds` go together. `policy` is what our law follows besides."""
    bounds = _bounds(workloads, told=told)
    rows, courses = [], []
    for name in controllers:
        make: Callable[..., Controller]
        if name == OURS and policy is not None:
            make, words = partial(_Followed, policy), "our law, as the TaskQueue asks for"
        else:
            make, words = _maker(name, workloads, seeds=seeds, told=told)
        results = []
        for seed, workload in zip(seeds, workloads, strict=True):
            told(f"{workload.name}: {name}, seed {seed}")
            results.append(Simulation(workload, make(workload, seed=seed), seed=seed).run(moments=seed == seeds[0]))
        courses.append(Course(controller=name, moments=results[0].moments))
        rows.append(_row(name, words, results, bounds))
    return Played(comparison=_comparison(workloads[0], rows, seeds, bounds), courses=courses)


def _bounds(workloads: Sequence[Workload], *, told: Told) -> Sequence[float] | None:
    """The least pod-seconds of each workload, solved once where they are the same."""
    least: dict[int, float] = {}
    for workload in workloads:
        if id(workload.tasks) not in least:
            told(f"{workload.name}: the lower bound")
            bound = lower_bound(workload)
            if bound is None or not bound.pod_seconds:
                return None
            least[id(workload.tasks)] = bound.pod_seconds
    return [least[id(workload.tasks)] for workload in workloads]


class _Followed(Law):
    """Our law under a whole policy, and the terms that the workload has. A minimum of workers is kept until the load is over."""

    def __init__(self, policy: ScalingPolicy, workload: Workload, *, seed: int) -> None:
        del seed
        super().__init__(under(policy, workload))
        self._until = workload.horizon_seconds

    def orders(self, observation: QueueObservation, *, now: float) -> Orders:
        """Decide, unless nothing is left and nothing will come."""
        if now >= self._until and observation.totals and not observation.ready and not observation.running:
            return Orders(replicas=0)
        return super().orders(observation, now=now)


def _maker(name: str, workloads: Sequence[Workload], *, seeds: Sequence[int], told: Told) -> tuple[Callable[..., Controller], str]:
    if name != BEST_KEDA:
        return partial(controller, name), about(name)
    trials = []
    for setting in settings():
        told(f"{workloads[0].name}: trying KEDA with {setting}")
        trials.append(tried(setting, workloads[:1], seed=seeds[0]))
    setting = best(trials).setting
    return setting.controller, f"best of {len(trials)} settings, chosen with hindsight: {setting}"


def _row(name: str, words: str, results: Sequence[Result], bounds: Sequence[float] | None) -> Row:
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


def _comparison(workload: Workload, rows: Sequence[Row], seeds: Sequence[int], bounds: Sequence[float] | None) -> Comparison:
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
