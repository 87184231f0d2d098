import logging
from random import Random

import pytest

from taskfleet_operator.api.conditions import ConditionReason
from taskfleet_operator.loop.fleet import Scaled
from taskfleet_operator.loop.known import KnownQueue
from taskfleet_operator.reporting.events import EventSaid
from taskfleet_operator.reporting.metrics import FleetMetrics
from taskfleet_operator.reporting.reporter import FleetReporter
from taskfleet_operator.scaling import Reason
from taskfleet_operator.settings import OperatorSettings
from taskfleet_operator.trouble import Trouble
from tests.unit.operator.facts import decision, facts, known

SETTINGS = OperatorSettings(status_seconds=30)


class Listener:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.statuses: list[dict[str, object]] = []

    def event(self, known: KnownQueue, event: EventSaid) -> None:
        self.events.append(event.reason.value)

    def status(self, known: KnownQueue, status: dict[str, object]) -> None:
        self.statuses.append(status)


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reporter(listener: Listener, clock: Clock) -> FleetReporter:
    return FleetReporter(FleetMetrics(), listener, clock=clock, random=Random(1))


async def test_status_is_written_at_once_and_then_only_when_something_changed(
    reporter: FleetReporter, listener: Listener, clock: Clock
) -> None:
    await reporter.report([facts()], settings=SETTINGS)
    clock.now += 2
    await reporter.report([facts()], settings=SETTINGS)
    clock.now += 2
    await reporter.report([facts(decision=decision(reason=Reason.ARRIVAL_RATE))], settings=SETTINGS)

    assert len(listener.statuses) == 2


async def test_numbers_of_an_unchanged_status_are_written_now_and_then(reporter: FleetReporter, listener: Listener, clock: Clock) -> None:
    for _ in range(60):
        await reporter.report([facts()], settings=SETTINGS)
        clock.now += 2

    assert 4 <= len(listener.statuses) <= 6


async def test_transition_time_moves_with_the_status_only(reporter: FleetReporter, listener: Listener, clock: Clock) -> None:
    await reporter.report([facts()], settings=SETTINGS)
    clock.now += 100
    await reporter.report([facts(decision=decision(limited_by=Reason.MAX_REPLICAS))], settings=SETTINGS)
    clock.now += 100
    await reporter.report([facts(decision=decision(limited_by=Reason.GLOBAL_CAP))], settings=SETTINGS)

    last = {each["type"]: each["lastTransitionTime"] for each in listener.statuses[-1]["conditions"]}  # type: ignore[attr-defined]
    assert last["Ready"] == "1970-01-01T00:16:40Z"
    assert last["ScalingLimited"] == "1970-01-01T00:18:20Z"


async def test_scaling_is_an_event_and_the_last_scale_time(reporter: FleetReporter, listener: Listener) -> None:
    await reporter.report([facts(scaled=Scaled(replicas=5))], settings=SETTINGS)

    assert listener.events == ["Scaled"]
    assert listener.statuses[-1]["lastScaleTime"] == "1970-01-01T00:16:40Z"


async def test_queue_that_is_gone_is_forgotten(reporter: FleetReporter, listener: Listener) -> None:
    lost = facts(database_trouble=Trouble(reason=ConditionReason.DATABASE_UNREACHABLE, message="away"), measurement=None)
    await reporter.report([lost], settings=SETTINGS)
    await reporter.report([], settings=SETTINGS)
    await reporter.report([lost], settings=SETTINGS)

    assert listener.events == ["DatabaseUnreachable", "DatabaseUnreachable"]


async def test_first_visit_logs_readiness_and_what_is_not_well(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await FleetReporter(FleetMetrics()).report([facts(known=known(stopPolicy="Hold"))], settings=SETTINGS)

    logged = [(record.condition, record.status) for record in caplog.records if record.message == "condition.changed"]  # type: ignore[attr-defined]
    assert logged == [("Ready", "True"), ("Paused", "True")]


async def test_condition_that_stays_is_not_logged_again(caplog: pytest.LogCaptureFixture) -> None:
    reporter = FleetReporter(FleetMetrics())
    await reporter.report([facts()], settings=SETTINGS)
    caplog.clear()

    with caplog.at_level(logging.INFO):
        await reporter.report([facts()], settings=SETTINGS)

    assert caplog.records == []
