from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from taskfleet.measurements import AgeProfile, KindRunning, OutcomeCount, QueueMeasurement, SessionSeen
from taskfleet.models import DecisionRecord
from taskfleet.words import ErrorCode, Outcome
from taskfleet_ops.demo.downstream.answers import AnswerCounts
from taskfleet_ops.demo.glance import Glance, History, glance_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def decision(*, replicas: int) -> DecisionRecord:
    return DecisionRecord(
        queue="episodes",
        decided_at=NOW - timedelta(seconds=4),
        replicas=replicas,
        wanted=8,
        desired=8,
        reason="PanicBacklog",
        message="",
        ready=9,
        running=1,
        oldest_seconds=1,
        ceiling=None,
    )


def session(*, slots: int = 8) -> SessionSeen:
    return SessionSeen(
        session_id=uuid4(),
        worker="w",
        pod_uid=None,
        slots=slots,
        leases=0,
        kinds=(),
        started_at=NOW,
        heartbeat_age_seconds=1,
        draining=False,
        drained=False,
    )


def outcome(kind: str, outcome: Outcome, count: int, code: str = "") -> OutcomeCount:
    return OutcomeCount(kind=kind, outcome=outcome, code=code, count=count, busy_seconds=1)


def history(*glances: Glance) -> History:
    made = History()
    for glance in glances:
        made.add(glance)
    return made


def done(seconds: float, *, succeeded: int = 0, failed: int = 0, workers: int = 0, waiting: int = 0) -> Glance:
    outcomes = {(Outcome.SUCCEEDED.value, ""): succeeded, (Outcome.FAILED.value, "x"): failed}
    return Glance(seconds=seconds, outcomes=outcomes, workers=workers, waiting=waiting)


def test_a_measurement_is_added_up_over_kinds() -> None:
    measurement = QueueMeasurement(
        queue="episodes",
        measured_at=NOW,
        ready=[
            AgeProfile(kind="transcode", priority=5, counts=[7], ages=[60]),
            AgeProfile(kind="index", priority=5, counts=[2], ages=[259_200]),
        ],
        scheduled=3,
        running=[KindRunning(kind="transcode", count=4, running_seconds=1), KindRunning(kind="index", count=1, running_seconds=1)],
        sessions=[session(), session()],
        outcomes=[
            outcome("transcode", Outcome.SUCCEEDED, 10),
            outcome("index", Outcome.SUCCEEDED, 5),
            outcome("index", Outcome.FAILED, 4, ErrorCode.ENTITY_NOT_FOUND),
            outcome("index", Outcome.RELEASED, 2, ErrorCode.OVERLOADED),
        ],
    )

    glance = glance_of(measurement, decision=decision(replicas=3), answers=AnswerCounts(), seconds=9)

    assert (glance.waiting, glance.running, glance.workers, glance.slots) == (12, 5, 3, 16)
    assert (glance.succeeded, glance.failed, glance.retried, glance.oldest_seconds) == (15, 4, 0, 259_200)
    assert glance.count(Outcome.RELEASED, ErrorCode.OVERLOADED) == 2
    assert glance.count(Outcome.RELEASED, ErrorCode.SHUTDOWN) == 0
    assert not glance.idle
    assert glance.decision_age_seconds == 4


def test_a_queue_that_nobody_decided_about_has_the_workers_that_registered() -> None:
    glance = glance_of(QueueMeasurement(queue="q", measured_at=NOW, sessions=[session()]), decision=None, answers=AnswerCounts(), seconds=0)

    assert (glance.workers, glance.oldest_seconds, glance.idle) == (1, 0, True)


def test_worker_seconds_are_integrated_between_looks() -> None:
    actual = history(done(0), done(10, workers=8), done(20, workers=2), done(25)).pod_seconds

    assert actual == 8 * 10 + 2 * 5


def test_rates_count_the_last_moments_only() -> None:
    seen = history(done(0), done(50, succeeded=1_000), done(55, succeeded=1_100, failed=10), done(60, succeeded=1_200, failed=10))

    assert (seen.completed_per_minute(), seen.failed_per_minute()) == (1_200, 60)
    assert seen.finished_rates() == [20, 22, 20]


@pytest.mark.parametrize("seen", [history(), history(done(3, succeeded=5))])
def test_one_look_has_no_rate(seen: History) -> None:
    actual = (seen.completed_per_minute(), list(seen.finished_rates()), seen.pod_seconds)

    assert actual == (0, [], 0)


def test_peaks_are_the_most_ever_seen() -> None:
    seen = history(Glance(seconds=0, workers=3, slots=16), Glance(seconds=1, workers=2, slots=24, running=30), Glance(seconds=2))

    assert (seen.peak_workers, seen.peak_slots, seen.latest.workers) == (3, 30, 0)


def test_an_empty_history_is_all_zeros() -> None:
    seen = history()

    assert (seen.peak_workers, seen.peak_slots, seen.drain_seconds, seen.latest) == (0, 0, 0, Glance(seconds=0))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(history(done(0), done(2, waiting=9), done(30, waiting=1), done(31), done(40)), 29, id="until the first idle look"),
        pytest.param(history(done(0), done(2, waiting=9), done(30, waiting=1)), 28, id="still at work"),
    ],
)
def test_drain_time_is_from_first_to_last_work(seen: History, expected: float) -> None:
    assert seen.drain_seconds == expected
