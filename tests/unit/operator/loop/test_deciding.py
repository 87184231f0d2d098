from typing import Any

import pytest

from taskfleet_operator.api.conditions import ConditionReason
from taskfleet_operator.databases.link import QueueSight
from taskfleet_operator.loop.deciding import Seen, decide_all
from taskfleet_operator.loop.fleet import FleetState
from taskfleet_operator.scaling import Reason
from taskfleet_operator.trouble import Trouble
from tests.unit.operator.facts import known, measurement

UNREACHABLE = QueueSight(trouble=Trouble(reason=ConditionReason.DATABASE_UNREACHABLE, message="away"))


def seen(name: str = "episodes", *, sight: QueueSight | None = None, fleet: FleetState | None = None, **fields: Any) -> Seen:
    entry = known(name, **fields.pop("spec", {}))
    assert entry.followed is not None
    sight = sight or QueueSight(measurement=measurement(ready=1_000_000, running=0))
    return Seen(known=entry, task_queue=entry.followed, sight=sight, fleet=fleet or FleetState(), **fields)


def replicas(*queues: Seen, cap: int = 1_000) -> dict[str, int]:
    decided = decide_all(queues, tick_seconds=2.0, global_max_replicas=cap, now=1e9)
    return {key.name: each.decision.replicas for key, each in decided.items()}


@pytest.mark.requirement("K2", "A3")
def test_seen_queues_share_the_cap() -> None:
    assert replicas(seen("a"), seen("b"), cap=10) == {"a": 5, "b": 5}


@pytest.mark.requirement("K2")
def test_workers_of_unseen_queues_are_taken_off_the_cap_of_the_others() -> None:
    held = FleetState(replicas=4, held=6)

    assert replicas(seen("a"), seen("b", sight=UNREACHABLE, fleet=held), cap=10) == {"a": 4, "b": 4}


def test_unseen_queue_keeps_its_replicas_until_the_threshold_and_then_follows_its_rule() -> None:
    spec = {"scaling": {"onDatabaseError": {"behavior": "Static", "failureThreshold": 3, "replicas": 5}}}

    found = [replicas(seen(sight=UNREACHABLE, fleet=FleetState(replicas=2), spec=spec, blind_ticks=ticks)) for ticks in (1, 2, 3)]

    assert found == [{"episodes": 2}, {"episodes": 2}, {"episodes": 5}]


def test_reason_of_an_unseen_queue_is_told() -> None:
    (decided,) = decide_all([seen(sight=UNREACHABLE)], tick_seconds=2.0, global_max_replicas=9, now=0.0).values()

    assert decided.decision.reason is Reason.DATABASE_UNREACHABLE


@pytest.mark.parametrize("reason", [ConditionReason.QUEUE_HELD, ConditionReason.QUEUE_CONFLICT])
def test_nothing_is_decided_for_a_queue_that_somebody_else_scales(reason: ConditionReason) -> None:
    assert replicas(seen(sight=QueueSight(trouble=Trouble(reason=reason, message="")))) == {}


def test_nothing_is_decided_without_knowing_the_fleet_or_before_the_first_look() -> None:
    blind = Seen(known=known(), task_queue=seen().task_queue, sight=QueueSight(measurement=measurement()), fleet=None)

    assert replicas(blind, seen("b", sight=QueueSight())) == {}
