from taskfleet.models import Completion, Failure, Release, Settlement
from taskfleet.words import ErrorCode
from taskfleet_worker.rules.endings import Ending
from taskfleet_worker.runtime.outbox import Outbox, settlement_of
from tests.support.workers import claimed_task


def ending(task_id: int, *, ended_at: float = 0.0) -> Ending:
    task = claimed_task(task_id)
    return Ending(task=task, record=Completion(lease=task.lease), seconds=0.1, ended_at=ended_at)


def outbox(*endings: Ending) -> Outbox:
    found = Outbox()
    for item in endings:
        found.add(item)
    return found


def test_endings_leave_in_the_order_they_came() -> None:
    box = outbox(ending(1), ending(2), ending(3))

    assert [item.task.task_id for item in box.take(2)] == [1, 2]
    assert (box.waiting, len(box)) == (1, 3)


def test_an_answer_empties_what_was_sent() -> None:
    box = outbox(ending(1), ending(2))
    box.take(1)
    box.answered()

    assert [lease.task_id for lease in box.leases()] == [2]


def test_what_got_no_answer_waits_again_ahead_of_the_others() -> None:
    box = outbox(ending(1), ending(2))
    box.take(2)
    box.add(ending(3))
    box.unanswered()

    assert [(item.task.task_id, item.tries) for item in box.take(10)] == [(1, 1), (2, 1), (3, 0)]


def test_leases_are_held_until_the_database_has_answered() -> None:
    box = outbox(ending(1), ending(2))
    box.take(1)

    assert sorted(lease.task_id for lease in box.leases()) == [1, 2]


def test_the_oldest_says_since_when_something_waits() -> None:
    assert outbox().oldest is None
    assert outbox(ending(1, ended_at=3.0), ending(2, ended_at=5.0)).oldest == 3.0


def test_a_settlement_sorts_records_by_what_they_are() -> None:
    tasks = [claimed_task(number) for number in (1, 2, 3)]
    records: tuple[Completion, Failure, Release] = (
        Completion(lease=tasks[0].lease),
        Failure(lease=tasks[1].lease, code=ErrorCode.EXECUTION_FAILED, message="no"),
        Release(lease=tasks[2].lease, code=ErrorCode.OVERLOADED),
    )
    endings = [Ending(task=tasks[0], record=record, seconds=0.0, ended_at=0.0) for record in records]

    assert settlement_of(endings) == Settlement(completions=[records[0]], failures=[records[1]], releases=[records[2]])
