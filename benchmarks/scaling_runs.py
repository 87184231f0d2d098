"""What the scaling benchmark plays: one controller on one workload, and a row of figures for it."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from msgspec import structs

from benchmarks.frame import Row
from taskfleet_operator.scaling import KindLimits, ScalingPolicy
from taskfleet_operator.scaling.demand.work import SAFETY
from taskfleet_operator.simulation import stories
from taskfleet_operator.simulation.best_keda import best, settings, tried
from taskfleet_operator.simulation.bound import lower_bound
from taskfleet_operator.simulation.controllers import Controller, Fixed, Law, policy_for
from taskfleet_operator.simulation.downstream import Downstream
from taskfleet_operator.simulation.engine import Simulation
from taskfleet_operator.simulation.plan import best_plan
from taskfleet_operator.simulation.result import Result
from taskfleet_operator.simulation.tasks import Workload
from taskfleet_operator.simulation.workloads import FIVE, bursty, hourly, long

Make = Callable[[Random], Workload]


@dataclass(frozen=True, kw_only=True)
class Played:
    """A run beside the least that anybody could have paid."""

    part: str
    case: str
    seed: int
    result: Result
    least_pod_seconds: float | None
    """None: no plan keeps this goal, or the bound does not apply."""
    reachable: bool = True
    """Whether a pod that is started for a task can be up in time: η·T >= D + 1.5 ticks."""

    @property
    def cost(self) -> float:
        """Pod-seconds by the bound; 0 without one."""
        return self.result.pod_seconds / self.least_pod_seconds if self.least_pod_seconds else 0.0

    @property
    def words(self) -> str:
        """The run in one line."""
        result = self.result
        cost = f"{self.cost:.3f} of the bound" if self.cost else "no bound"
        return (
            f"{self.part}, {self.case}, seed {self.seed}, {result.controller}: {result.pod_seconds:,.0f} pod-seconds, "
            f"{cost}, {result.late_percent:.3f} % late"
        )

    @property
    def row(self) -> Row:
        """The figures."""
        result = self.result
        return {
            "part": self.part,
            "case": self.case,
            "seed": self.seed,
            "controller": result.controller,
            "pod-seconds": round(result.pod_seconds),
            "of the bound": round(self.cost, 3) if self.cost else "–",
            "reachable": "yes" if self.reachable else "no",
            "late %": round(result.late_percent, 3),
            "killed": result.killed,
            "lost": result.lost,
            "actions": result.actions,
            "calls/task": round(result.calls_per_task, 3),
            "p50 s": round(result.wait(50), 1),
            "p99 s": round(result.wait(99), 1),
        }


def policy(workload: Workload, **changes: object) -> ScalingPolicy:
    """The defaults, with what the workload itself says."""
    return structs.replace(policy_for(workload), **changes)


@cache
def made(make: Make, seed: int) -> Workload:
    """A workload by its maker and seed; several controllers play the same."""
    return make(Random(seed))


@cache
def least(make: Make, seed: int) -> float | None:
    """Its lower bound."""
    bound = lower_bound(made(make, seed))
    return None if bound is None else bound.pod_seconds


def law(workload: Workload, **changes: object) -> Law:
    """Our law with its defaults: the service time unknown, the failure ceiling and the guard on."""
    return Law(policy(workload, **changes))


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is played."""

    part: str
    name: str
    make: Make
    controller: Callable[[Workload], Controller] = law
    downstream: Callable[[], Downstream] | None = None
    bounded: bool = True
    """Whether the lower bound says anything about it."""


def play(case: Case, seed: int) -> Played:
    """Play once, and say so on the error stream: the long form lasts."""
    workload = made(case.make, seed)
    started = time.process_time()
    downstream = case.downstream() if case.downstream is not None else None
    controller = case.controller(workload)
    result = Simulation(workload, controller, seed=seed, downstream=downstream).run()
    bound = least(case.make, seed) if case.bounded else None
    played = Played(
        part=case.part, case=case.name, seed=seed, result=result, least_pod_seconds=bound, reachable=_reachable(workload, controller)
    )
    sys.stderr.write(f"{played.words} ({time.process_time() - started:.0f} s)\n")
    sys.stderr.flush()
    return played


def _reachable(workload: Workload, controller: Controller) -> bool:
    startup = workload.startup_least + 0.9 * (workload.startup_most - workload.startup_least)
    return SAFETY * workload.max_wait_seconds >= startup + 1.5 * controller.tick_seconds


def planned(case: Case, seed: int) -> list[Played]:
    """The best plan found for it, if one was."""
    plan = best_plan(made(case.make, seed), seed=seed)
    if plan is None:
        return []
    return [Played(part=case.part, case=case.name, seed=seed, result=plan.result, least_pod_seconds=least(case.make, seed))]


def best_keda(cases: Sequence[Case], seed: int) -> list[Played]:
    """Of some settings of KEDA the single one that is best over all these workloads, on each of them."""
    workloads = [made(case.make, seed) for case in cases]
    trial = best([tried(setting, workloads, seed=seed) for setting in settings(KEDA_SHARES, KEDA_POLLS)])
    runs = zip(cases, trial.results, strict=True)
    return [
        Played(part=case.part, case=case.name, seed=seed, result=result, least_pod_seconds=least(case.make, seed)) for case, result in runs
    ]


def five(*, short: bool) -> list[Case]:
    """The workloads of the acceptance test."""
    names = ("long",) if short else tuple(FIVE)
    return [Case(part="five workloads", name=name, make=FIVE[name]) for name in names]


SHORT_ROBUST = {"long": long}
ROBUST: dict[str, Make] = {"bursty": bursty, "hourly": hourly, "long": long}
EASY_STARTUP_SECONDS = 30
KEDA_SHARES = (1.0, 0.5, 0.25)
KEDA_POLLS = (5.0,)
"""Six settings, for both paths of the HPA; `taskfleet simulate -c keda-best` tries 24."""


def robustness(*, short: bool) -> list[Case]:
    """The same law where its guesses are wrong, it looks rarely, pods start slowly or have many slots."""
    cases: list[Case] = []
    for name, make in (SHORT_ROBUST if short else ROBUST).items():
        cases.append(_robust(name, "as it is", make))
        cases += [_robust(name, f"S guessed {factor:g} ×", make, _guessing(factor)) for factor in ((0.1, 10) if not short else ())]
        cases += [_robust(name, f"tick {tick:g} s", make, _ticking(tick)) for tick in ((5, 10, 15) if not short else (15,))]
        cases += [_robust(name, f"start-up {startup:g} s", _starting(make, startup)) for startup in ((5, 30, 60, 120) if not short else ())]
    if not short:
        cases += [_robust("hourly", f"{slots} slots a pod", _with_slots(hourly, slots)) for slots in (2, 4, 8, 16)]
        cases.append(_robust("bursty", "16 slots a pod", _with_slots(bursty, 16)))
        cases += [_robust("mixed kinds, quotas", "as it is", stories.mixed), _robust("lanes", "as it is", stories.lanes)]
        cases += [_robust("short goal", "as it is", stories.short_goal), _robust("very long", "as it is", stories.very_long)]
    return cases


def downstreams(*, short: bool) -> list[Case]:
    """Our law and fixed fleets before a downstream that breaks, and one that only slows down."""
    tasks = 1_000 if short else 20_000
    cases = []
    for name, make, downstream, fleets in (
        ("overload", _of(stories.overload, tasks), stories.flooded_downstream, (12, 16, 20, 24)),
        ("saturation", _of(stories.saturation, tasks), stories.silent_downstream, (15, 20, 25)),
    ):
        controllers: list[Callable[[Workload], Controller]] = [law, *(_fixed(count) for count in fleets)]
        cases += [Case(part=name, name=name, make=make, controller=one, downstream=downstream, bounded=False) for one in controllers]
    return cases


def _robust(workload: str, name: str, make: Make, controller: Callable[[Workload], Controller] = law) -> Case:
    return Case(part=f"robust: {workload}", name=name, make=make, controller=controller)


def _guessing(factor: float) -> Callable[[Workload], Controller]:
    def controller(workload: Workload) -> Controller:
        true = sum(task.service for task in workload.tasks) / len(workload.tasks)
        return Law(policy(workload, kinds=(KindLimits(kind="task", expected_seconds=factor * true),)))

    return controller


def _ticking(seconds: float) -> Callable[[Workload], Controller]:
    return lambda workload: law(workload, tick_seconds=seconds)


@cache
def _starting(make: Make, seconds: float) -> Make:
    return lambda random: replace(make(random), startup_least=seconds * 2 / 3, startup_most=seconds * 4 / 3)


@cache
def _with_slots(make: Callable[..., Workload], slots: int) -> Make:
    return lambda random: make(random, slots=slots)


@cache
def _of(make: Callable[..., Workload], tasks: int) -> Make:
    return lambda random: make(random, tasks=tasks)


def _fixed(count: int) -> Callable[[Workload], Controller]:
    return lambda workload: Fixed(count)  # noqa: ARG005 - the same for every workload
