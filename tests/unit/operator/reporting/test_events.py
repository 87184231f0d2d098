from typing import Any

import pytest

from taskfleet_operator.api.conditions import ConditionReason
from taskfleet_operator.loop.facts import QueueFacts
from taskfleet_operator.loop.fleet import FleetState, Scaled
from taskfleet_operator.reporting.events import Conditions, events_between
from taskfleet_operator.scaling import Reason
from taskfleet_operator.status import conditions_of
from taskfleet_operator.trouble import Trouble
from tests.unit.operator.facts import FAULT, decision, facts, known

TOO_SHORT = "a worker takes longer to start than the goal of 120 s allows: keep minReplicas, or raise goal.maxWaitSeconds"
GONE = Trouble(reason=ConditionReason.DATABASE_UNREACHABLE, message="no answer")
WELL: dict[str, Any] = {}
LIMITED = {"decision": decision(limited_by=Reason.MAX_REPLICAS, said="capped")}
LOST = {"database_trouble": GONE, "measurement": None}
FAILING = {"fleet": FleetState(replicas=1, problem="it ended")}
CONTESTED = {"decision": decision(reason=Reason.REPLICAS_CONTESTED, said="hands off")}
SHORT = {"decision": decision(goal_reachable=False)}


def conditions(changes: dict[str, Any]) -> Conditions:
    return {said.type: said for said in conditions_of(facts(**changes))}


def events(before: dict[str, Any] | None, after: dict[str, Any], *, breakers: tuple[str, ...] = (), faults: bool = False) -> list[str]:
    told = events_between(
        {} if before is None else conditions(before), conditions(after), facts(**after), breakers_before=breakers, faults_before=faults
    )
    return [f"{event.reason.value}: {event.note}" for event in told]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(None, WELL, [], id="a first look at a healthy queue is no event"),
        pytest.param(WELL, LIMITED, ["ScalingLimited: capped"], id="a ceiling begins to bind"),
        pytest.param(LIMITED, LIMITED, [], id="a ceiling that binds on is no news"),
        pytest.param(LIMITED, WELL, [], id="a ceiling that binds no more is seen in the condition"),
        pytest.param(None, LOST, ["DatabaseUnreachable: no answer"], id="a database that is away at the first look"),
        pytest.param(LOST, LOST, [], id="a database that stays away"),
        pytest.param(LOST, WELL, ["DatabaseRecovered: the database answers again"], id="a database that comes back"),
        pytest.param(
            WELL,
            SHORT,
            [f"GoalUnreachable: {TOO_SHORT}"],
            id="a goal that cannot be reached",
        ),
        pytest.param(WELL, CONTESTED, ["ReplicasContested: hands off"], id="replicas contested"),
        pytest.param(CONTESTED, CONTESTED, [], id="replicas still contested"),
        pytest.param(WELL, FAILING, ["WorkersFailing: it ended"], id="workers begin to fail"),
        pytest.param(FAILING, FAILING, [], id="workers fail on"),
        pytest.param(FAILING, WELL, ["WorkersRecovered: 2 of 2 workers are up"], id="workers stay up again"),
    ],
)
def test_only_changes_are_events(before: dict[str, Any] | None, after: dict[str, Any], expected: list[str]) -> None:
    assert events(before, after) == expected


def test_fault_is_an_event_once() -> None:
    faulty = {"known": known(faults=(FAULT,))}

    assert events(None, faulty) == ["SpecInvalid: spec.goal: found 3, allowed: an object; the last good version is followed"]
    assert events(faulty, faulty, faults=True) == []


def test_breaker_that_opens_and_closes_is_told() -> None:
    opened = {"decision": decision(kind_ceilings={"fetch": 1})}

    assert events(WELL, opened) == ["BreakerOpened: nearly every attempt of kind 'fetch' fails: 1 at a time as a probe"]
    assert events(opened, opened, breakers=("fetch",)) == []
    assert events(opened, WELL, breakers=("fetch",)) == ["BreakerClosed: kind 'fetch' works again"]


def test_breakers_of_a_queue_that_cannot_be_seen_stay_as_they_are() -> None:
    assert events(LOST, LOST, breakers=("fetch",)) == []


def test_change_of_replicas_is_told_with_the_decisions_sentence_and_who_went() -> None:
    shrunk = {"scaled": Scaled(replicas=1, gone=("worker-1",)), "decision": decision(said="1 worker: nothing waits")}

    assert events(WELL, shrunk) == ["Scaled: from 2 to 1: 1 worker: nothing waits", "Drained: worker-1: finished and told to go"]


def test_order_that_changed_nothing_is_no_event() -> None:
    assert events(WELL, {"scaled": Scaled(replicas=2)}) == []


def test_queue_without_decision_was_not_scaled() -> None:
    assert QueueFacts(known=known()).scaled_from is None
    assert events(None, {"decision": None, "scaled": Scaled(replicas=0)}) == []
