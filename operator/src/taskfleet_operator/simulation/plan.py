"""A plan that somebody could follow who knows all arrivals and service times: whole pods, real starts, every task in time.

The lower bound may be out of reach; a plan is not. It is made from the bound's own slots, for a goal that is a little shorter, in whole
pods: one more is there only once the whole ones lag behind by some slot-seconds, so that little work is done in batches. Pods are ordered a
start-up earlier, and the plan is played in the simulator. Where tasks start late after all, pods are added shortly before they are due, and
it is played again. Of the ways to make one the cheapest that lets nobody be late counts: the best plan found, not the best there is, which
lies between it and the bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from statistics import fmean

from taskfleet_operator.scaling import QueueObservation
from taskfleet_operator.simulation.bound import Bound, lower_bound
from taskfleet_operator.simulation.controllers import Orders
from taskfleet_operator.simulation.engine import Simulation
from taskfleet_operator.simulation.result import Result
from taskfleet_operator.simulation.tasks import Workload

WAYS = ((0.75, 0.1), (0.6, 0.3))
"""Ways to make a plan: with so much of the goal, as the rest is for whole pods and for chance; and the slot-seconds that it may lag
behind, as a part of the goal."""
ROUNDS = 8
LATER_PART = 1 / 3
"""A pod is added for the last part of a late task's goal, so that it serves what else has gathered."""
DUST = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Pods by second, and what comes of it."""

    pods: Sequence[int]
    result: Result


class Planned:
    """Follows a list of pods, one number a second. Idle pods go first; a busy one that must go finishes its tasks."""

    tick_seconds = 1.0
    grace_seconds = float("inf")

    def __init__(self, pods: Sequence[int]) -> None:
        self.name = "plan"
        self._pods = pods

    def orders(self, observation: QueueObservation, *, now: float) -> Orders:
        """What the plan says for this second; beyond its end one pod while there is work."""
        second = int(now)
        work = bool(observation.ready or observation.running)
        planned = self._pods[second] if second < len(self._pods) else int(work)
        surplus = max(0, observation.replicas - observation.starting - planned)
        idle = [worker.session_id for worker in observation.workers if not worker.leases and not worker.leaving]
        return Orders(replicas=planned, remove=tuple(idle[:surplus]))


def best_plan(workload: Workload, *, seed: int = 1) -> Plan | None:
    """The cheapest plan found that starts every task in time; None if none was found, or scipy is not installed."""
    found: list[Plan] = []
    for part, lag in WAYS:
        bound = lower_bound(replace(workload, max_wait_seconds=part * workload.max_wait_seconds))
        if bound is None:
            continue
        plan = _repaired(workload, _whole(workload, bound, lag_seconds=lag * workload.max_wait_seconds), seed=seed)
        if plan is not None:
            found.append(plan)
    return min(found, key=lambda plan: plan.result.pod_seconds, default=None)


def _whole(workload: Workload, bound: Bound, *, lag_seconds: float) -> list[int]:
    """The bound's slots as whole pods, one number a second: the lower whole number until it lags too far, then the higher."""
    pods: list[int] = []
    lag, catching_up = 0.0, False
    for second in range(ceil(len(bound.slots) * bound.bin_seconds)):
        asked = bound.slots[min(len(bound.slots) - 1, int(second / bound.bin_seconds))] / workload.slots_per_pod
        if catching_up or lag >= lag_seconds / workload.slots_per_pod:
            catching_up = lag > 0
        pods.append(ceil(asked - DUST) if catching_up else floor(asked + DUST))
        lag = max(0.0, lag + asked - pods[-1])
    return pods


def _repaired(workload: Workload, needed: list[int], *, seed: int) -> Plan | None:
    """Play, add pods for those who are late, and play again."""
    startup = ceil((workload.startup_least + workload.startup_most) / 2)
    for _ in range(ROUNDS):
        pods = _ordered(needed, startup)
        result = Simulation(workload, Planned(pods), seed=seed).run()
        if not result.late_arrivals:
            return Plan(pods=pods, result=result)
        _add(needed, workload, result.late_arrivals)
    return None


def _ordered(needed: Sequence[int], startup: int) -> list[int]:
    """Pods to have by second: what is needed now or before a new one would be up."""
    return [max(needed[second : second + startup + 1]) for second in range(len(needed))]


def _add(needed: list[int], workload: Workload, late: Sequence[float]) -> None:
    """Pods for those who were late, as many as half their work is worth in a part of the goal; some work was only a little late."""
    part = max(1.0, LATER_PART * workload.max_wait_seconds)
    service = fmean(task.service for task in workload.tasks)
    waiting = sorted(late)
    while waiting:
        due = waiting[0] + workload.max_wait_seconds
        together = sum(arrival <= waiting[0] + part for arrival in waiting)
        more = max(1, ceil(together * service / part / workload.slots_per_pod / 2))
        for second in range(max(0, int(due - part)), min(len(needed), ceil(due))):
            needed[second] = min(workload.max_pods, needed[second] + more)
        waiting = waiting[together:]
