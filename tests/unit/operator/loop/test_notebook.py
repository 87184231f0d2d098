from dataclasses import replace

from taskfleet.measurements import OutcomeCount
from taskfleet_operator.api.conditions import ConditionReason
from taskfleet_operator.api.task_queue import QueueKey
from taskfleet_operator.databases.link import QueueSight
from taskfleet_operator.loop.notebook import Notebook, Notes
from taskfleet_operator.loop.observe import Startup
from taskfleet_operator.scaling import Memory, Reason, Step
from taskfleet_operator.trouble import Trouble
from tests.unit.operator.facts import decision, measurement

GONE = QueueSight(trouble=Trouble(reason=ConditionReason.DATABASE_UNREACHABLE, message="away"))


def test_decision_is_recorded_when_it_differs_and_its_numbers_now_and_then() -> None:
    notes = Notes()

    def due(now: float, **fields: object) -> bool:
        return notes.record_due(decision(**fields), measurement(), now=now, every=10) is not None

    assert [due(0), due(2), due(4, reason=Reason.TAPER), due(6, reason=Reason.TAPER), due(14, reason=Reason.TAPER)] == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_record_holds_the_numbers_and_the_steps() -> None:
    made = decision(
        claim_ceiling=9,
        steps=(Step(name="deadline", clause="{} more", numbers=(2,), slots=8.0, reason=Reason.DEADLINE_DEMAND), Step(name="x", clause="y")),
    )

    record = Notes().record_due(made, measurement(), now=0, every=10)

    assert record is not None
    assert (record.queue, record.ready, record.running, record.oldest_seconds, record.ceiling) == ("episodes", 10, 2, 30.0, 9)
    assert record.steps == (
        {"name": "deadline", "did": "2 more", "slots": 8.0, "reason": "DeadlineDemand"},
        {"name": "x", "did": "y", "slots": None, "reason": None},
    )


def test_memory_is_saved_now_and_then_and_with_every_change() -> None:
    notes = Notes()

    due = [
        notes.state_due(now=now, every=10, changed=changed) is not None for now, changed in ((0, False), (2, False), (4, True), (13, False))
    ]

    assert due == [True, False, True, False]


def test_rates_compare_the_counters_of_a_minute() -> None:
    notes, found = Notes(), []
    for tick in range(100):
        outcomes = (
            OutcomeCount(kind="nap", outcome="succeeded", code="", count=tick * 3, busy_seconds=0),
            OutcomeCount(kind="nap", outcome="retried", code="X", count=tick, busy_seconds=0),
            OutcomeCount(kind="nap", outcome="released", code="X", count=tick * 50, busy_seconds=0),
        )
        found.append(notes.rates(replace(measurement(), outcomes=outcomes), now=tick * 2.0))

    assert found[0] is None
    assert found[-1] is not None
    assert (found[-1].finished_per_minute, found[-1].failure_percent) == (90.0, 25.0)
    assert len(notes.totals) < 40


def test_without_outcomes_nothing_failed() -> None:
    notes = Notes()
    notes.rates(measurement(), now=0)

    later = notes.rates(measurement(), now=2)

    assert later is not None
    assert later.failure_percent is None


def test_failed_looks_are_counted_until_one_succeeds() -> None:
    notes, counts = Notes(), []
    for sight in (GONE, GONE, QueueSight(measurement=measurement()), GONE):
        notes.see(sight)
        counts.append(notes.blind_ticks)

    assert counts == [1, 2, 0, 1]


def test_saved_memory_is_taken_up() -> None:
    notes = Notes()
    notes.see(QueueSight(measurement=measurement(), saved=Memory(decided_at=5.0).to_dict()))

    assert notes.memory.decided_at == 5.0


def test_startups_of_pods_that_are_gone_are_forgotten() -> None:
    notes = Notes()
    notes.tell([Startup(pod="a", seconds=1), Startup(pod="b", seconds=1)])
    notes.tell([Startup(pod="b", seconds=1)])

    assert notes.told == {"b"}


def test_queues_that_are_gone_are_forgotten() -> None:
    book, key = Notebook(), QueueKey(namespace="a", name="b")
    book[key].blind_ticks = 3
    book.keep_only([])

    assert book[key].blind_ticks == 0
