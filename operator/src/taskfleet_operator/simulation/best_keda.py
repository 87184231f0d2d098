"""The best single KEDA setting, found by trying: what somebody gets who knows the future, has the patience, and may keep one setting.

A setting is the share of the goal that the target stands for (the true service time is known), how often KEDA polls, and which path the HPA
takes. The cheapest one of those that start enough tasks in time wins; if none does, the one with the fewest late tasks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

from taskfleet_operator.simulation.engine import Simulation
from taskfleet_operator.simulation.result import Result
from taskfleet_operator.simulation.rivals.hpa import DOCUMENTED_BEHAVIOR
from taskfleet_operator.simulation.rivals.keda import Keda
from taskfleet_operator.simulation.rivals.roster import scaled_object
from taskfleet_operator.simulation.tasks import Workload

SHARES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15)
POLLS = (5.0, 30.0)
LATE_PERCENT = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class KedaSetting:
    """One setting for all workloads."""

    share: float
    """Of the goal: the target is what a pod gets done in it."""
    polling_seconds: float
    written_behavior: bool

    def controller(self, workload: Workload, *, seed: int = 1) -> Keda:
        """KEDA so set, on this workload."""
        behavior = DOCUMENTED_BEHAVIOR if self.written_behavior else None
        spec = scaled_object(workload, share=self.share, polling_seconds=self.polling_seconds, behavior=behavior)
        return Keda(spec, name=f"keda-best ({self})", seed=seed)

    def __str__(self) -> str:
        path = "behavior written out" if self.written_behavior else "nil behavior"
        return f"{self.share:g} of the goal, polled every {self.polling_seconds:g} s, {path}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A setting and what it brought on each workload, in their order."""

    setting: KedaSetting
    results: Sequence[Result]

    @property
    def late_percent(self) -> float:
        """The mean over the workloads."""
        return fmean(result.late_percent for result in self.results)


def settings(shares: Sequence[float] = SHARES, polls: Sequence[float] = POLLS) -> Iterator[KedaSetting]:
    """The settings that are tried."""
    for share, polling, written in product(shares, polls, (False, True)):
        yield KedaSetting(share=share, polling_seconds=polling, written_behavior=written)


def tried(setting: KedaSetting, workloads: Sequence[Workload], *, seed: int = 1) -> Trial:
    """One setting on all workloads."""
    results = [Simulation(workload, setting.controller(workload, seed=seed), seed=seed).run() for workload in workloads]
    return Trial(setting=setting, results=results)


def best(trials: Sequence[Trial], *, late_percent: float = LATE_PERCENT) -> Trial:
    """The cheapest of those with few enough late tasks; else the least late. Workloads count alike, each by the cheapest seen for it."""
    least = [min(trial.results[number].pod_seconds for trial in trials) for number in range(len(trials[0].results))]

    def cost(trial: Trial) -> float:
        return fmean(result.pod_seconds / max(1.0, low) for result, low in zip(trial.results, least, strict=True))

    good = [trial for trial in trials if trial.late_percent <= late_percent]
    return min(good, key=cost) if good else min(trials, key=lambda trial: (trial.late_percent, cost(trial)))
