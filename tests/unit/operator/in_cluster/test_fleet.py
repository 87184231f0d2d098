from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from taskfleet_operator.in_cluster.fleet import LEAVING_COST, fleet_state, shrink_plan
from taskfleet_operator.loop.fleet import ScaleOrder
from taskfleet_operator.objects import DeploymentSeen, ObjectKey, PodSeen

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def pod(number: int, **fields: Any) -> PodSeen:
    values: dict[str, Any] = {
        "key": ObjectKey(namespace="media", name=f"worker-{number}"),
        "uid": f"uid-{number}",
        "phase": "Running",
        "ready": True,
        "terminating": False,
        "created_at": NOON - timedelta(seconds=60),
        "ready_at": NOON - timedelta(seconds=57),
    }
    return PodSeen(**values | fields)


def deployment(**fields: Any) -> DeploymentSeen:
    values: dict[str, Any] = {
        "key": ObjectKey(namespace="media", name="episodes-workers"),
        "uid": "d",
        "resource_version": "10",
        "generation": 2,
        "observed_generation": 2,
        "replicas": 3,
        "existing": 3,
        "updated": 3,
        "ready": 3,
        "selector": "a=b",
    }
    return DeploymentSeen(**values | fields)


def test_fleet_is_the_deployment_and_its_living_pods() -> None:
    pods = [
        pod(1),
        pod(2, ready=False, phase="Pending"),
        pod(3, terminating=True),
        pod(4, phase="Failed"),
        pod(5, deletion_cost=LEAVING_COST),
    ]

    state = fleet_state(deployment(), pods, now=NOON, gone={"uid-1"}, foreign_change=True)

    assert (state.replicas, state.held, state.ready, state.rollout, state.foreign_change, state.selector) == (
        3,
        4,
        2 + 0,
        False,
        True,
        "a=b",
    )
    assert [(each.pod, each.ready, each.chosen, each.leaving) for each in state.workers] == [
        ("uid-1", True, False, True),
        ("uid-2", False, False, False),
        ("uid-3", True, False, True),
        ("uid-5", True, True, False),
    ]
    assert (state.workers[0].age_seconds, state.workers[0].startup_seconds) == (60.0, 3.0)


def test_before_the_deployment_is_made_there_is_nothing() -> None:
    state = fleet_state(None, [], now=NOON)

    assert (state.replicas, state.held, state.rollout, state.problem, state.selector) == (0, 0, False, None, None)


def test_rollout_is_seen() -> None:
    assert fleet_state(deployment(updated=1), [], now=NOON).rollout


def test_problem_is_told_in_the_words_of_kubernetes() -> None:
    stuck = pod(1, ready=False, waiting="ImagePullBackOff: no such image")
    refused = deployment(failure="exceeded quota")

    assert (
        fleet_state(deployment(), [stuck, pod(2)], now=NOON).problem == "1 of 2 pods do not run; worker-1: ImagePullBackOff: no such image"
    )
    assert fleet_state(refused, [stuck], now=NOON).problem == "pods cannot be made: exceeded quota"
    assert fleet_state(deployment(), [pod(1, waiting="x", terminating=True)], now=NOON).problem is None


def test_pods_are_chosen_first_and_go_when_our_watch_shows_it() -> None:
    leave = ScaleOrder(replicas=1, leave=("uid-1", "uid-2", "uid-gone"))

    first = shrink_plan(leave, [pod(1), pod(2), pod(3)])
    second = shrink_plan(leave, [pod(1, deletion_cost=LEAVING_COST), pod(2), pod(3)])
    third = shrink_plan(leave, [pod(1, deletion_cost=LEAVING_COST), pod(2, deletion_cost=LEAVING_COST), pod(3)])

    assert [[each.uid for each in plan.choose] for plan in (first, second, third)] == [["uid-1", "uid-2"], ["uid-2"], []]
    assert [plan.replicas for plan in (first, second, third)] == [3, 2, 1]
    assert [[each.uid for each in plan.go] for plan in (first, second, third)] == [[], ["uid-1"], ["uid-1", "uid-2"]]


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=20), st.integers(0, 20))
def test_replicas_are_lowered_by_exactly_the_pods_whose_cost_is_seen(pods: list[tuple[bool, bool, bool]], floor: int) -> None:
    seen = [
        pod(number, deletion_cost=LEAVING_COST if chosen else 0, terminating=terminating)
        for number, (_, chosen, terminating) in enumerate(pods)
    ]
    order = ScaleOrder(replicas=floor, leave=tuple(each.uid for each, (leaves, _, _) in zip(seen, pods, strict=True) if leaves))

    plan = shrink_plan(order, seen)

    standing = [each for each in seen if each.uid in order.leave and not each.terminating]
    assert len(plan.choose) + len(plan.go) == len(standing)
    assert plan.replicas == floor + len(plan.choose)
    assert all(each.deletion_cost == LEAVING_COST for each in plan.go)
