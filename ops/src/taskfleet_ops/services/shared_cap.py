"""Several queues under one cap: one row a queue, all of them under our law, which alone shares a cap among queues."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from taskfleet_operator.simulation import stories
from taskfleet_operator.simulation.controllers import policy_for
from taskfleet_operator.simulation.fleet import FleetSimulation
from taskfleet_operator.simulation.result import Result
from taskfleet_ops.services.comparison import Course, Played, comparison, row
from taskfleet_ops.services.loads import SHARED, SHARED_CAP
from taskfleet_ops.services.simulation import OURS, Terms, Told

PART = 1
"""The load is so many times smaller than the story's; tests have no time for all of it."""


def play_shared(terms: Terms, *, seeds: Sequence[int], told: Told) -> Played:
    """Play the three queues of the story; the most replicas of the terms are the cap."""
    cap = terms.max_pods or SHARED_CAP
    runs: list[Sequence[Result]] = []
    shared = []
    for seed in seeds:
        told(f"{SHARED}: {OURS}, seed {seed}")
        workloads = [terms.applied(workload) for workload in stories.shared(Random(seed), part=PART)]
        shared.append(workloads)
        fleet = FleetSimulation(workloads, [policy_for(workload) for workload in workloads], cap=cap, seed=seed)
        runs.append(fleet.run(moments=seed == seeds[0]).queues)
    queues = list(zip(*runs, strict=True))
    names = [f"{OURS}: {queue[0].workload}" for queue in queues]
    rows = [row(name, f"one of {len(queues)} queues under a cap of {cap}", queue, None) for name, queue in zip(names, queues, strict=True)]
    first = shared[0]
    tasks = sum(len(workload.tasks) for workload in first)
    compared = replace(comparison(first[0], rows, seeds, None), workload=SHARED, tasks=tasks, max_pods=cap)
    return Played(
        comparison=compared,
        courses=[Course(controller=name, moments=queue[0].moments) for name, queue in zip(names, queues, strict=True)],
    )
