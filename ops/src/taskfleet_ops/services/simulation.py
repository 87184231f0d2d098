"""What a fleet would have cost and how long tasks would have waited: one workload, played under several controllers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

from taskfleet_operator.api.convert import scaling_policy
from taskfleet_operator.api.reading import read_task_queue
from taskfleet_operator.api.task_queue import KIND
from taskfleet_operator.errors import SpecInvalidError
from taskfleet_operator.scaling import QueueObservation, ScalingPolicy
from taskfleet_operator.simulation.best_keda import best, settings, tried
from taskfleet_operator.simulation.bound import lower_bound
from taskfleet_operator.simulation.controllers import Controller, Law, Orders
from taskfleet_operator.simulation.downstream import Downstream
from taskfleet_operator.simulation.engine import Simulation
from taskfleet_operator.simulation.plan import Plan, Planned, best_plan
from taskfleet_operator.simulation.rivals.roster import about, controller, under
from taskfleet_operator.simulation.tasks import Workload
from taskfleet_operator.simulation.trace import TraceError, read_trace
from taskfleet_ops.errors import TaskQueueFileError, TraceFileError
from taskfleet_ops.services.comparison import Course, Played, comparison, row
from taskfleet_ops.services.loads import LOADS

OURS = "taskfleet"
TICK_SECONDS = 2.0
"""As the operator looks by default."""
BEST_KEDA = "keda-best"
"""Not one controller but the best of many, found by trying them on the workload itself."""

PLAN = "plan"
"""No controller either: what somebody could have done who knew the load beforehand."""

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
    return [terms.applied(LOADS[name].make(Random(seed))) for seed in seeds]


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
    workloads: Sequence[Workload],
    controllers: Sequence[str],
    *,
    seeds: Sequence[int],
    told: Told,
    policy: ScalingPolicy | None = None,
    downstream: Callable[[], Downstream] | None = None,
) -> Played:
    """Play each workload under each controller; `workloads` and `seeds` go together. `policy` is what our law follows besides.

    `downstream` makes what the tasks talk to; work costs more there than by itself, so there is neither bound nor plan. Where no plan is
    found that starts every task in time its row is left out.
    """
    bounds = _bounds(workloads, told=told) if downstream is None else None
    rows, courses = [], []
    for name in controllers:
        if name == PLAN and bounds is None:
            continue
        candidate = _candidate(name, workloads, seeds=seeds, told=told, policy=policy)
        if candidate is None:
            continue
        results = []
        for seed, workload in zip(seeds, workloads, strict=True):
            told(f"{workload.name}: {name}, seed {seed}")
            world = None if downstream is None else downstream()
            run = Simulation(workload, candidate.make(workload, seed=seed), seed=seed, downstream=world)
            results.append(run.run(moments=seed == seeds[0]))
        courses.append(Course(controller=name, moments=results[0].moments))
        rows.append(row(name, candidate.about, results, bounds))
    return Played(comparison=comparison(workloads[0], rows, seeds, bounds), courses=courses)


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


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """Who is played."""

    make: Callable[..., Controller]
    about: str


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


def _candidate(
    name: str, workloads: Sequence[Workload], *, seeds: Sequence[int], told: Told, policy: ScalingPolicy | None
) -> _Candidate | None:
    """The controller of this name; None where there is none for this load."""
    if name == OURS and policy is not None:
        return _Candidate(make=partial(_Followed, policy), about="our law, as the TaskQueue asks for")
    if name == PLAN:
        return _planned(workloads, seeds=seeds, told=told)
    if name == BEST_KEDA:
        return _best_keda(workloads[0], seed=seeds[0], told=told)
    return _Candidate(make=partial(controller, name), about=about(name))


def _planned(workloads: Sequence[Workload], *, seeds: Sequence[int], told: Told) -> _Candidate | None:
    plans: dict[int, Plan] = {}
    for seed, workload in zip(seeds, workloads, strict=True):
        told(f"{workload.name}: looking for the best plan, seed {seed}")
        plan = best_plan(workload, seed=seed)
        if plan is None:
            return None
        plans[seed] = plan
    return _Candidate(make=lambda _, *, seed: Planned(plans[seed].pods), about="the best plan found, all arrivals and service times known")


def _best_keda(workload: Workload, *, seed: int, told: Told) -> _Candidate:
    trials = []
    for setting in settings():
        told(f"{workload.name}: trying KEDA with {setting}")
        trials.append(tried(setting, [workload], seed=seed))
    setting = best(trials).setting
    return _Candidate(make=setting.controller, about=f"best of {len(trials)} settings, chosen with hindsight: {setting}")
