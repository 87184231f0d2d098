"""A Deployment and its pods as a fleet, and how it is made smaller without touching a busy worker. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from taskfleet_operator.loop.fleet import FleetState, FleetWorker, ScaleOrder
from taskfleet_operator.objects import DeploymentSeen, PodSeen

LEAVING_COST: Final = -1_000
"""Deletion cost of a pod that was chosen to go: lower than what anybody sets by hand to keep pods."""
ENDED: Final = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, kw_only=True)
class ShrinkPlan:
    """The next step towards an order."""

    choose: tuple[PodSeen, ...]
    """Pods whose deletion cost is to be set; they go once our own watch shows it."""
    go: tuple[PodSeen, ...]
    """Pods that go with the replicas."""
    replicas: int
    """What the Deployment is to be set to now."""


def fleet_state(
    deployment: DeploymentSeen | None,
    pods: Collection[PodSeen],
    *,
    now: datetime,
    gone: Collection[str] = (),
    foreign_change: bool = False,
) -> FleetState:
    """Give the fleet as the loop sees it. `gone` are pods whose replicas were taken away before: their ReplicaSet is about to act."""
    living = [pod for pod in pods if pod.phase not in ENDED]
    return FleetState(
        replicas=deployment.replicas if deployment else 0,
        held=len(living),
        ready=sum(1 for pod in living if pod.ready and not pod.terminating),
        workers=tuple(
            FleetWorker(
                pod=pod.uid,
                name=pod.key.name,
                age_seconds=max(0.0, (now - pod.created_at).total_seconds()),
                startup_seconds=pod.startup_seconds,
                ready=pod.ready,
                chosen=pod.deletion_cost == LEAVING_COST and not pod.terminating and pod.uid not in gone,
                leaving=pod.terminating or pod.uid in gone,
            )
            for pod in living
        ),
        rollout=deployment.rolling if deployment else False,
        foreign_change=foreign_change,
        problem=_problem(deployment, living),
        selector=deployment.selector if deployment else None,
    )


def shrink_plan(order: ScaleOrder, pods: Collection[PodSeen]) -> ShrinkPlan:
    """Say what to do now: a ReplicaSet deletes the cheapest ready pods first, so that they are those that may go.

    Replicas are lowered by exactly the pods whose cost our own watch has shown; the others follow a tick later.
    """
    by_uid = {pod.uid: pod for pod in pods if not pod.terminating}
    leaving = [by_uid[uid] for uid in order.leave if uid in by_uid]
    unseen = tuple(pod for pod in leaving if pod.deletion_cost != LEAVING_COST)
    go = tuple(pod for pod in leaving if pod not in unseen)
    return ShrinkPlan(choose=unseen, go=go, replicas=order.replicas + len(unseen))


def _problem(deployment: DeploymentSeen | None, pods: Sequence[PodSeen]) -> str | None:
    """Say why workers do not come up, in Kubernetes' own words."""
    if deployment is not None and deployment.failure:
        return f"pods cannot be made: {deployment.failure}"
    waiting = [pod for pod in pods if pod.waiting and not pod.terminating]
    if not waiting:
        return None
    return f"{len(waiting)} of {len(pods)} pods do not run; {waiting[0].key.name}: {waiting[0].waiting}"
