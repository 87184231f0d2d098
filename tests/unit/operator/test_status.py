from typing import Any

import pytest

from taskfleet_operator.api.conditions import ConditionReason, ConditionType
from taskfleet_operator.api.status import TaskQueueStatus
from taskfleet_operator.loop.facts import QueueFacts
from taskfleet_operator.loop.fleet import FleetState
from taskfleet_operator.scaling import Reason
from taskfleet_operator.status import conditions_of, status_of
from taskfleet_operator.trouble import Trouble
from tests.unit.operator.facts import FAULT, decision, facts, known, measurement, session, worker


def said(given: QueueFacts) -> dict[str, tuple[str, str]]:
    return {condition.type.value: (condition.status.value, condition.reason) for condition in conditions_of(given)}


def test_healthy_queue_says_so_in_every_condition() -> None:
    assert said(facts()) == {
        "Ready": ("True", "Ready"),
        "Active": ("True", "WorkWaiting"),
        "DatabaseReachable": ("True", "DatabaseAnswers"),
        "WorkersAvailable": ("True", "WorkersRunning"),
        "ScalingLimited": ("False", "WithinLimits"),
        "GoalReachable": ("True", "GoalHolds"),
        "Paused": ("False", "NotPaused"),
        "Degraded": ("False", "AsSpecified"),
    }


def test_queue_that_was_never_seen_knows_nothing() -> None:
    given = QueueFacts(known=known())

    assert {kind: status for kind, (status, _) in said(given).items()} == {
        "Ready": "Unknown",
        "Active": "Unknown",
        "DatabaseReachable": "Unknown",
        "WorkersAvailable": "Unknown",
        "ScalingLimited": "False",
        "GoalReachable": "Unknown",
        "Paused": "False",
        "Degraded": "False",
    }


GONE = Trouble(reason=ConditionReason.DATABASE_UNREACHABLE, message="no answer")
HELD = Trouble(reason=ConditionReason.QUEUE_HELD, message="held")
REFUSED = Trouble(reason=ConditionReason.OPERATION_FAILED, message="refused")
NONE_ASKED = FleetState()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {"known": known(faults=(FAULT,))}, {"Ready": ("False", "SpecInvalid"), "Degraded": ("True", "SpecInvalid")}, id="fault"
        ),
        pytest.param(
            {"database_trouble": GONE, "measurement": None},
            {
                "Ready": ("False", "DatabaseUnreachable"),
                "DatabaseReachable": ("False", "DatabaseUnreachable"),
                "Active": ("Unknown", "NotSeenYet"),
            },
            id="database gone",
        ),
        pytest.param(
            {"database_trouble": HELD, "measurement": None, "decision": None},
            {"Ready": ("False", "QueueHeld"), "DatabaseReachable": ("Unknown", "NotSeenYet"), "Degraded": ("True", "QueueHeld")},
            id="another operator scales it",
        ),
        pytest.param(
            {"target_trouble": REFUSED, "fleet": None},
            {
                "Ready": ("False", "OperationFailed"),
                "WorkersAvailable": ("False", "OperationFailed"),
                "Degraded": ("True", "OperationFailed"),
            },
            id="workers cannot be scaled",
        ),
        pytest.param(
            {"fleet": FleetState(replicas=1, problem="it ended")},
            {"Ready": ("False", "WorkersFailing"), "WorkersAvailable": ("False", "WorkersFailing")},
            id="workers fail",
        ),
        pytest.param({"fleet": FleetState(replicas=2)}, {"WorkersAvailable": ("False", "WorkersStarting")}, id="none is up yet"),
        pytest.param(
            {"fleet": FleetState(replicas=2, held=2, workers=(worker(1), worker(3)))},
            {"WorkersAvailable": ("True", "WorkersStarting")},
            id="one of two is up",
        ),
        pytest.param(
            {"fleet": NONE_ASKED, "measurement": measurement(ready=0, running=0)},
            {"WorkersAvailable": ("True", "NoWorkersWanted"), "Active": ("False", "NoWork")},
            id="nothing to do",
        ),
        pytest.param({"measurement": measurement(session(1), ready=0, running=0)}, {"Active": ("True", "WorkersIdle")}, id="idle workers"),
        pytest.param({"decision": decision(limited_by=Reason.MAX_REPLICAS)}, {"ScalingLimited": ("True", "MaxReplicas")}, id="ceiling"),
        pytest.param({"decision": decision(goal_reachable=False)}, {"GoalReachable": ("False", "GoalTooShort")}, id="goal too short"),
        pytest.param(
            {"decision": decision(reason=Reason.REPLICAS_CONTESTED)}, {"Degraded": ("True", "ReplicasContested")}, id="contested replicas"
        ),
        pytest.param({"known": known(stopPolicy="Hold")}, {"Paused": ("True", "Held")}, id="stop policy"),
        pytest.param({"measurement": measurement(paused=True)}, {"Paused": ("True", "PausedByHand")}, id="paused by hand"),
        pytest.param({"known": known(scaling={"mode": "Recommend"})}, {"Paused": ("True", "Recommend")}, id="recommend"),
        pytest.param({"known": known(scaling={"pause": ["In"]})}, {"Paused": ("True", "ScalingPaused")}, id="scaling paused"),
    ],
)
def test_condition_tells_what_is_so(changes: dict[str, Any], expected: dict[str, tuple[str, str]]) -> None:
    told = said(facts(**changes))

    assert {kind: told[kind] for kind in expected} == expected


def test_fault_is_told_with_path_and_what_is_followed_meanwhile() -> None:
    ready = conditions_of(facts(known=known(faults=(FAULT,))))[0]

    assert ready.message == "spec.goal: found 3, allowed: an object; the last good version is followed"


def test_every_reason_fits_the_schema_of_a_condition() -> None:
    assert all(reason.value.isalnum() and reason.value[0].isupper() for reason in ConditionReason)


def test_status_is_what_the_schema_of_the_resource_takes() -> None:
    given = facts(known=known(generation=7))

    status = status_of(given, conditions_of(given), decided_at=0.0, scaled_at=60.0)

    TaskQueueStatus.model_validate(status, extra="forbid")
    assert {name: value for name, value in status.items() if name != "conditions"} == {
        "observedGeneration": 7,
        "replicas": 2,
        "desiredReplicas": 2,
        "wantedReplicas": 2,
        "readyReplicas": 2,
        "selector": "a=b",
        "tasks": {"ready": 10, "running": 2, "scheduled": 4, "failed": 1},
        "oldestReadySeconds": 30.0,
        "ratePerMinute": 12.3,
        "failurePercent": 25.0,
        "decision": {
            "reason": "DeadlineDemand",
            "message": "2 workers: 10 ready tasks must start within 54 s",
            "time": "1970-01-01T00:00:00Z",
        },
        "lastScaleTime": "1970-01-01T00:01:00Z",
    }


def test_status_of_an_unseen_queue_holds_its_conditions_only() -> None:
    given = QueueFacts(known=known(generation=0))

    status = status_of(given, conditions_of(given), decided_at=None, scaled_at=None)

    assert list(status) == ["conditions"]
    assert len(status["conditions"]) == len(ConditionType)  # type: ignore[arg-type]


def test_without_a_measurement_the_target_says_how_many_are_up() -> None:
    given = facts(measurement=None)

    assert status_of(given, (), decided_at=None, scaled_at=None)["readyReplicas"] == 2
