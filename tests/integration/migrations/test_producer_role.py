"""What a producer may do under the producers' role: everything about tasks, nothing about policy."""

from collections.abc import Callable

import pytest

from taskfleet import DeadLetterFilter, NewTask, Producer, TaskfleetError
from taskfleet.client.lifecycle import Action
from tests.integration.migrations.roles import Url

Operation = Callable[[Producer, int], object]

# Each gets the id of a waiting task of the group `tenant`.
ALLOWED: dict[str, Operation] = {
    "enqueue": lambda producer, _: producer.enqueue("send", group="tenant", idempotency_key="k", wants_result=True),
    "enqueue_many": lambda producer, _: producer.enqueue_many([NewTask(kind="new", idempotency_key="k"), NewTask(kind="send")]),
    "get_task": lambda producer, task_id: producer.get_task(task_id),
    "length": lambda producer, _: producer.length(kind="send"),
    "cancel": lambda producer, task_id: producer.cancel(task_id),
    "retry": lambda producer, task_id: (producer.cancel(task_id), producer.retry(task_id)),
    "retry_many": lambda producer, task_id: producer.retry_many([task_id, 4711]),
    "change": lambda producer, task_id: producer.change(Action.CANCEL, [task_id]),
    "pause_task": lambda producer, task_id: (producer.pause_task(task_id), producer.resume_task(task_id)),
    "pause_group": lambda producer, _: (producer.pause_group("tenant"), producer.resume_group("tenant")),
    "count_group": lambda producer, _: producer.count_group("tenant"),
    "clear": lambda producer, _: producer.clear(group="tenant"),
    "dead_letters": lambda producer, _: (producer.dead_letters(), producer.dead_letter_stats()),
    "retry_dead_letters": lambda producer, task_id: (producer.cancel(task_id), producer.retry_dead_letters(DeadLetterFilter())),
    "purge_dead_letters": lambda producer, task_id: (producer.cancel(task_id), producer.purge_dead_letters(DeadLetterFilter())),
    "schedule": lambda producer, _: (producer.schedule("s", "0 6 * * *", NewTask(kind="report")), producer.unschedule("s")),
    "list_schedules": lambda producer, _: producer.list_schedules(),
    "wake": lambda producer, _: producer.wake(),
}
REFUSED: dict[str, Operation] = {
    "pause_kind": lambda producer, _: producer.pause_kind("send"),
    "resume_kind": lambda producer, _: producer.resume_kind("send"),
    "pause_queue": lambda producer, _: producer.pause_queue(),
    "resume_queue": lambda producer, _: producer.resume_queue(),
}


@pytest.fixture
def waiting(database_url: str) -> int:
    with Producer(database_url, queue="mail") as producer:
        return producer.enqueue("send", group="tenant").task_id


def test_every_operation_is_looked_at() -> None:
    beside = {"open", "close", "queue", "wait_for_result", "resume_task", "resume_group", "dead_letter_stats", "unschedule"}
    public = {name for name in vars(Producer) if not name.startswith("_")}

    assert public - beside == ALLOWED.keys() | REFUSED.keys()


@pytest.mark.requirement("E3")
@pytest.mark.parametrize("name", ALLOWED)
def test_a_producer_does_everything_about_tasks(url_of: Url, waiting: int, name: str) -> None:
    with Producer(url_of("producer"), queue="mail") as producer:
        ALLOWED[name](producer, waiting)


@pytest.mark.requirement("E3")
@pytest.mark.parametrize("name", REFUSED)
def test_a_producer_changes_no_policy_and_people_do(url_of: Url, waiting: int, name: str) -> None:
    with (
        Producer(url_of("producer"), queue="mail") as producer,
        pytest.raises(TaskfleetError, match=r"refused.*permission denied for"),
    ):
        REFUSED[name](producer, waiting)
    with Producer(url_of("ops"), queue="mail") as people:
        REFUSED[name](people, waiting)
        for operation in ("cancel", "pause_group", "clear", "schedule"):
            ALLOWED[operation](people, waiting)
