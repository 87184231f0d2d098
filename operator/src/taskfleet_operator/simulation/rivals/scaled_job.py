"""KEDA's ScaledJob: at each poll it creates jobs, up to one for each `target` tasks; a job runs its tasks and ends. No HPA takes part.

With the default strategy the jobs that exist are subtracted from those the queue is worth, which suits a metric that counts running tasks
too. Every task pays for the start of a pod, and nobody is ever cut off.
"""

from dataclasses import dataclass
from math import ceil
from random import Random

from taskfleet_operator.scaling import QueueObservation
from taskfleet_operator.simulation.controllers import Orders
from taskfleet_operator.simulation.rivals.keda import phase


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaledJobSpec:
    """A ScaledJob with one trigger; what is left out is as KEDA has it."""

    target: float
    """Waiting and running tasks per job."""
    max_replicas: int = 100
    polling_seconds: float = 30.0


class ScaledJob:
    """One ScaledJob."""

    grace_seconds = float("inf")

    def __init__(self, spec: ScaledJobSpec, *, name: str = "scaled-job", seed: int = 1) -> None:
        self.name = name
        self.tick_seconds = 0.0
        self._spec = spec
        self._next_poll = phase(Random(seed), spec.polling_seconds)

    def orders(self, observation: QueueObservation, *, now: float) -> Orders:
        """Create jobs if it is time to poll; `tick_seconds` says how long until then."""
        going = sum(1 for worker in observation.workers if worker.leaving)
        created = 0
        if now >= self._next_poll:
            metric = sum(bucket.count for bucket in observation.ready) + sum(tasks.count for tasks in observation.running)
            created = new_jobs(metric, target=self._spec.target, jobs=observation.held, max_replicas=self._spec.max_replicas)
            self._next_poll += self._spec.polling_seconds
        self.tick_seconds = self._next_poll - now
        return Orders(replicas=observation.held - going + created, jobs=True)


def new_jobs(metric: int, *, target: float, jobs: int, max_replicas: int) -> int:
    """What the default strategy creates: 60 tasks at a target of 1 with 20 jobs at work: 40."""
    return max(0, min(metric, min(ceil(metric / target), max_replicas) - jobs))
