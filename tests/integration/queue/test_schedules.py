"""Recurring tasks: each tick is one task, whoever runs maintenance, and however often."""

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from taskfleet import AsyncProducer, InvalidTaskError, NewTask, Producer
from taskfleet.maintenance import run_once
from taskfleet.words import TaskState
from tests.integration.queue.scene import Scene

LATE = "UPDATE taskfleet.schedules SET next_at = now() - interval '3 hours'"


async def run(scene: Scene) -> int:
    return (await run_once(scene.database, ["run_schedules"]))["run_schedules"]


def test_a_schedule_is_stored_shown_changed_and_forgotten(database_url: str) -> None:
    report = NewTask(kind="report", payload={"month": 1}, priority=2, group="g", headers={"a": "b"}, max_attempts=4)
    with Producer(database_url, queue="mail") as producer:
        first = producer.schedule("monthly", "0 6 1 * *", report, time_zone="Europe/Berlin")
        again = producer.schedule("monthly", "0 6 1 * *", NewTask(kind="report"), time_zone="Europe/Berlin")
        (shown,) = producer.list_schedules()
        producer.schedule("monthly", "0 7 1 * *", report)
        (changed,) = producer.list_schedules()

        assert (first > datetime.now(UTC), again, shown.next_at) == (True, first, first)
        assert (shown.name, shown.cron, shown.time_zone, shown.task) == ("monthly", "0 6 1 * *", "Europe/Berlin", NewTask(kind="report"))
        assert (changed.task, changed.time_zone, changed.last_at, changed.last_task_id) == (report, "UTC", None, None)
        assert (producer.unschedule("monthly"), producer.unschedule("monthly"), list(producer.list_schedules())) == (True, False, [])


async def test_each_tick_is_one_task_however_many_run_maintenance(scene: Scene, database_url: str) -> None:
    async with AsyncProducer(database_url, queue="mail") as producer:
        for number in range(5):
            await producer.schedule(f"n{number}", "*/10 * * * *", NewTask(kind="send", payload=number))
        before = await run(scene)
        await scene.rows(LATE)
        handled = await asyncio.gather(*(run(scene) for _ in range(4)))
        schedule, *_ = await producer.list_schedules()
        task = await producer.get_task(schedule.last_task_id or 0)

        assert (before, sum(handled), await producer.length(), await run(scene)) == (0, 5, 5, 0)
        assert await producer.unschedule("n0")
    assert schedule.last_at is not None
    assert timedelta() < schedule.next_at - schedule.last_at <= timedelta(minutes=10)
    assert (task.state, task.payload) == (TaskState.READY, 0)
    assert task.headers == {"schedule": "n0", "tick": f"{schedule.last_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    assert await scene.faults() == []


async def test_two_who_saw_the_same_tick_enqueue_once(scene: Scene, database_url: str) -> None:
    with Producer(database_url, queue="mail") as producer:
        producer.schedule("n", "* * * * *", NewTask(kind="send"))
    await scene.rows(LATE)
    row = (await scene.rows("SELECT id, next_at FROM taskfleet.schedules"))[0]
    enqueue = "SELECT taskfleet.run_schedule_v1(%s, %s, %s, now() + interval '1 minute')"
    with psycopg.connect(database_url) as other:
        other.execute(enqueue.encode(), [row["id"], row["next_at"], row["next_at"]])
        while_held = await scene.value(enqueue, row["id"], row["next_at"], row["next_at"])
        other.commit()
    after = await scene.value(enqueue, row["id"], row["next_at"], row["next_at"])

    assert (while_held, after, await scene.count("ready")) == (False, False, 1)


@pytest.mark.requirement("E7")
async def test_a_full_queue_leaves_a_tick_out_and_one_bad_schedule_stops_no_other(
    scene: Scene, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Producer(database_url, queue="mail") as producer, Producer(database_url, queue="full") as other:
        producer.schedule("good", "* * * * *", NewTask(kind="send"))
        producer.schedule("zoneless", "* * * * *", NewTask(kind="send"))
        other.schedule("crowded", "* * * * *", NewTask(kind="send"))
    await scene.rows("UPDATE taskfleet.queues SET max_length = 0 WHERE name = 'full'")
    await scene.rows("UPDATE taskfleet.schedules SET time_zone = 'Mars/Olympus' WHERE name = 'zoneless'")
    await scene.rows(LATE)

    assert await run(scene) == 1
    assert {record.message for record in caplog.records} >= {"schedule.left_out", "schedule.unreadable"}
    assert await scene.value("SELECT next_at > now() AND last_at IS NULL FROM taskfleet.schedules WHERE name = 'crowded'") is True


@pytest.mark.parametrize(
    ("name", "cron", "task", "sentence"),
    [
        ("", "* * * * *", NewTask(kind="send"), "is no name: it takes 1 to 512 bytes"),
        ("n", "* * *", NewTask(kind="send"), "is no cron expression"),
        ("n", "* * * * *", NewTask(kind="a b"), "is no name of a kind"),
        ("n", "* * * * *", NewTask(kind="send", idempotency_key="k"), "have no place in a recurring task"),
        ("n", "* * * * *", NewTask(kind="send", delay_seconds=1), "have no place in a recurring task"),
    ],
)
def test_what_is_no_schedule_is_refused(database_url: str, name: str, cron: str, task: NewTask, sentence: str) -> None:
    with Producer(database_url, queue="mail") as producer, pytest.raises(InvalidTaskError, match=sentence):
        producer.schedule(name, cron, task)
