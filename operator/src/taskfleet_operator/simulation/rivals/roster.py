"""Every controller by its name on the command line, set up for a workload as its own documentation would have it.

KEDA's rows know what nobody knows beforehand: the true mean service time of the workload. Each says which path its HPA takes.
"""

import re
from collections.abc import Callable, Mapping
from statistics import fmean

from msgspec import structs

from taskfleet_operator.scaling import Behavior, ScalingPolicy
from taskfleet_operator.simulation.controllers import Controller, Fixed, Law, policy_for
from taskfleet_operator.simulation.rivals.hpa import DOCUMENTED_BEHAVIOR
from taskfleet_operator.simulation.rivals.keda import Keda, ScaledObject
from taskfleet_operator.simulation.rivals.rate_law import RateLaw, RateLawSpec
from taskfleet_operator.simulation.rivals.scaled_job import ScaledJob, ScaledJobSpec
from taskfleet_operator.simulation.tasks import Workload

_FIXED = re.compile(r"fixed:(?P<pods>[1-9][0-9]{0,4})")

Maker = Callable[[Workload, int], Controller]
"""Sets a controller up for a workload; the number is the seed of what is chance to it."""


def law(workload: Workload, seed: int = 1) -> Law:
    """Our own law, told the goal and the limits and nothing else."""
    del seed
    return Law(policy_for(workload))


def under(policy: ScalingPolicy, workload: Workload) -> ScalingPolicy:
    """The policy with the goal and the limits of the workload."""
    return structs.replace(
        policy,
        max_wait_seconds=workload.max_wait_seconds,
        min_replicas=min(policy.min_replicas, workload.max_pods),
        max_replicas=workload.max_pods,
        slots_per_replica=workload.slots_per_pod,
    )


def mean_service(workload: Workload) -> float:
    """Seconds that a task of the workload takes on average."""
    return fmean(task.service for task in workload.tasks)


def scaled_object(
    workload: Workload, *, share: float = 1.0, polling_seconds: float = 30.0, behavior: Behavior | None = None
) -> ScaledObject:
    """A ScaledObject whose target is what a pod gets done in a share of the goal."""
    target = share * workload.slots_per_pod * workload.max_wait_seconds / mean_service(workload)
    return ScaledObject(target=max(1.0, target), max_replicas=workload.max_pods, polling_seconds=polling_seconds, behavior=behavior)


def _keda(name: str, *, share: float, polling_seconds: float, behavior: Behavior | None = None) -> Maker:
    def make(workload: Workload, seed: int) -> Controller:
        return Keda(scaled_object(workload, share=share, polling_seconds=polling_seconds, behavior=behavior), name=name, seed=seed)

    return make


def _scaled_job(workload: Workload, seed: int) -> Controller:
    spec = ScaledJobSpec(target=workload.slots_per_pod, max_replicas=workload.max_pods)
    return ScaledJob(spec, seed=seed)


def _rate_law(workload: Workload, seed: int) -> Controller:
    del seed
    return RateLaw(RateLawSpec(max_replicas=workload.max_pods, slots=workload.slots_per_pod, until=workload.horizon_seconds))


def _always_max(workload: Workload, seed: int) -> Controller:
    del seed
    return Fixed(workload.max_pods, until=workload.horizon_seconds, name="always-max")


CONTROLLERS: Mapping[str, tuple[str, Maker]] = {
    "taskfleet": ("taskfleet's law, told the goal only", law),
    "keda": ("KEDA and HPA, defaults, nil behavior", _keda("keda", share=1.0, polling_seconds=30)),
    "keda-behavior": (
        "the same, behavior written out",
        _keda("keda-behavior", share=1.0, polling_seconds=30, behavior=DOCUMENTED_BEHAVIOR),
    ),
    "keda-tuned": ("KEDA tuned: half the goal, polled every 5 s, nil behavior", _keda("keda-tuned", share=0.5, polling_seconds=5)),
    "keda-tuned-behavior": (
        "the same, behavior written out",
        _keda("keda-tuned-behavior", share=0.5, polling_seconds=5, behavior=DOCUMENTED_BEHAVIOR),
    ),
    "scaled-job": ("KEDA ScaledJob: a job for each slot's worth of tasks", _scaled_job),
    "rate-law": ("arrivals and catch-up, in the manner of Flink's autoscaler", _rate_law),
    "always-max": ("all pods that are allowed, all the time", _always_max),
}
"""What each is, and how to set it up."""


def controller(name: str, workload: Workload, *, seed: int = 1) -> Controller:
    """The controller of this name, or of `fixed:N`; raises KeyError."""
    if fixed := _FIXED.fullmatch(name):
        return Fixed(int(fixed["pods"]), until=workload.horizon_seconds)
    return CONTROLLERS[name][1](workload, seed)


def about(name: str) -> str:
    """What the controller of this name is; raises KeyError."""
    if fixed := _FIXED.fullmatch(name):
        return f"{fixed['pods']} pods all the time"
    return CONTROLLERS[name][0]


def known(name: str) -> bool:
    """Whether there is a controller of this name."""
    return name in CONTROLLERS or _FIXED.fullmatch(name) is not None
