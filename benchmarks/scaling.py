"""The scaling law against the optimum and against KEDA, in simulation: cost, lateness, robustness, downstreams that break, the cap.

`python -m benchmarks.scaling [--seeds 1 2 3]`: any seeds will do. Costs are pod-seconds by a lower bound that knows the future
(`taskfleet_operator.simulation.bound`); KEDA is given the true service time, our law is not.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random
from statistics import fmean

from benchmarks.frame import Goal, Outcome, Row, run
from benchmarks.scaling_decisions import memory_growth, milliseconds_for_queues
from benchmarks.scaling_runs import EASY_STARTUP_SECONDS, Case, Played, best_keda, downstreams, five, planned, play, policy, robustness
from taskfleet_operator.scaling.fill import Claimant, fill
from taskfleet_operator.simulation import stories
from taskfleet_operator.simulation.fleet import FleetResult, FleetSimulation
from taskfleet_operator.simulation.rivals.roster import controller

CAP = 40
OURS = "taskfleet"
TUNED = "keda-tuned"
KEDA = ("keda", TUNED, "keda-tuned-behavior")
"""Names of the roster: without `behavior` the HPA takes the path of a nil behavior."""


class Scaling:
    """The benchmark for some seeds."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self._seeds = seeds

    def __call__(self, *, short: bool) -> Outcome:
        """Play everything."""
        seeds = self._seeds[:1] if short else self._seeds
        ours = [play(case, seed) for seed in seeds for case in five(short=short)]
        rivals = [play(case, seed) for seed in seeds for case in _rivals(five(short=short))]
        robust = [play(case, self._seeds[0]) for case in robustness(short=short)]
        broken = [play(case, seed) for seed in seeds for case in downstreams(short=short)]
        rivals += best_keda(five(short=short), seeds[0])
        plans = [plan for case in five(short=short) for plan in planned(case, seeds[0])]
        workloads = stories.shared(Random(self._seeds[0]), part=8 if short else 1)
        fleet = FleetSimulation(workloads, [policy(one) for one in workloads], cap=CAP, seed=self._seeds[0]).run()
        goals = [
            *_five_goals(ours, rivals),
            *_robust_goals(robust),
            *_downstream_goals(broken),
            *_cap_goals(fleet),
            Goal(name="one decision for 1,000 queues", goal=50, value=milliseconds_for_queues(1000, rounds=3 if short else 9), unit="ms"),
            Goal(
                name="the law's memory at the end by the largest at first",
                goal=1.05,
                value=memory_growth(2_000 if short else 10**6),
                unit="×",
            ),
        ]
        rows: list[Row] = [one.row for one in (*ours, *rivals, *plans, *robust, *broken)]
        rows += [
            Played(part="global cap", case=one.workload, seed=self._seeds[0], result=one, least_pod_seconds=None).row
            for one in fleet.queues
        ]
        return Outcome(settings={"seeds": list(seeds), "short": short, "global cap": CAP}, results=rows, goals=goals)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the seeds, leave the rest to the frame."""
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    chosen, rest = options.parse_known_args(arguments)
    return run("scaling", Scaling(chosen.seeds), arguments=rest)


def _rivals(cases: Sequence[Case]) -> list[Case]:
    """KEDA, told the true mean service time, by both paths of the HPA."""
    return [replace(case, controller=partial(controller, name)) for case in cases for name in KEDA]


def _five_goals(ours: Sequence[Played], rivals: Sequence[Played]) -> list[Goal]:
    goals = [
        Goal(name="mean cost over the workloads", goal=1.12, value=fmean(one.cost for one in ours), unit="× the bound"),
        Goal(name="most late tasks of a workload", goal=0.1, value=max(one.result.late_percent for one in ours), unit="%"),
        Goal(name="killed tasks", goal=0, value=sum(one.result.killed for one in ours), unit="tasks"),
        Goal(name="lost tasks", goal=0, value=sum(one.result.lost for one in ours), unit="tasks"),
    ]
    daily = [one for one in ours if one.case == "daily"]
    if daily:
        tuned = [one for one in rivals if one.case == "daily" and one.result.controller == TUNED]
        share = sum(one.result.actions for one in daily) / sum(one.result.actions for one in tuned)
        goals.append(Goal(name="scale actions on the daily wave", goal=0.5, value=share, unit="of tuned KEDA's"))
    return goals


def _robust_goals(robust: Sequence[Played]) -> list[Goal]:
    """Each row by the plain row of its workload, as far as its start-up is no longer than half a minute."""
    plain = {one.part: one for one in robust if one.case == "as it is"}
    hard = {f"start-up {seconds} s" for seconds in (60, 120) if seconds > EASY_STARTUP_SECONDS}
    held = [one for one in robust if one.case not in hard and one.part != "robust: short goal"]
    worst = max(one.cost / plain[one.part].cost for one in held)
    return [
        Goal(name="worst row of robustness (start-up <= 30 s)", goal=1.25, value=worst, unit="× its baseline"),
        Goal(name="most late tasks of such a row", goal=0.5, value=max(one.result.late_percent for one in held), unit="%"),
    ]


def _downstream_goals(broken: Sequence[Played]) -> list[Goal]:
    """The worst of the seeds, each by the best fixed fleet of its own."""
    seeds = sorted({one.seed for one in broken})
    overload, saturation = ([_ours_and_best(broken, part, seed) for seed in seeds] for part in ("overload", "saturation"))
    flooded = [ours.result for ours, _ in overload]
    good = min(100 * result.done / (result.tasks - result.gone) for result in flooded)
    return [
        Goal(name="overload: good tasks done", goal=100, value=good, unit="%", at_most=False),
        Goal(name="overload: calls a task", goal=1.1, value=max(result.calls_per_task for result in flooded), unit="calls"),
        Goal(name="overload: pod-seconds", goal=1.1, value=max(map(_by_best, overload)), unit="× the best fixed fleet"),
        Goal(name="silent saturation: pod-seconds", goal=1.4, value=max(map(_by_best, saturation)), unit="× the best fixed fleet"),
    ]


def _ours_and_best(broken: Sequence[Played], part: str, seed: int) -> tuple[Played, Played]:
    """Our run, and the cheapest fixed fleet that finishes within the goal and the time that one task's start-up takes."""
    runs = [one for one in broken if one.part == part and one.seed == seed]
    ours = next(one for one in runs if one.result.controller == OURS)
    fixed = [one for one in runs if one is not ours]
    soonest = min(one.result.seconds for one in fixed)
    quick = [one for one in fixed if one.result.late_percent == 0] or [one for one in fixed if one.result.seconds <= 1.05 * soonest]
    return ours, min(quick, key=lambda one: one.result.pod_seconds)


def _by_best(pair: tuple[Played, Played]) -> float:
    return pair[0].result.pod_seconds / pair[1].result.pod_seconds


def _cap_goals(fleet: FleetResult) -> list[Goal]:
    asked = [("a", 200, 1.0), ("b", 30, 1.0), ("c", 60, 2.0)]
    filled = fill([Claimant(name=name, demand=demand, weight=weight) for name, demand, weight in asked], 100)
    return [
        Goal(name="global cap: most pods held", goal=CAP, value=fleet.most_held, unit="pods"),
        Goal(name="global cap: Jain index of satisfied demand", goal=0.95, value=fleet.jain_index, unit="", at_most=False),
        Goal(name="global cap: ticks until a freed share is used", goal=2, value=fleet.reuse_ticks, unit="ticks"),
        Goal(name="global cap: error of the worked example", goal=0, value=sum(map(abs, _minus(filled, [25, 25, 50]))), unit="pods"),
    ]


def _minus(one: Sequence[int], other: Sequence[int]) -> list[int]:
    return [mine - yours for mine, yours in zip(one, other, strict=True)]


if __name__ == "__main__":
    sys.exit(main())
