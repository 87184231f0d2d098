"""Cleaning by command and by night: four steps, their limits, dry run, forced states, audit."""

from datetime import UTC, datetime, timedelta

import pytest

from taskfleet.maintenance import MaintenanceSettings, run_once
from taskfleet.maintenance.cleanup import Cleanup, cleanup
from taskfleet.models import KindPolicy
from taskfleet.store.sweep_store import Overrides
from taskfleet.words import DeadReason, TaskState
from tests.integration.queue.scene import QUEUE, Scene, completed, failed

HOUR, DAY = 3_600.0, 86_400.0


async def everything_old(scene: Scene) -> None:
    """Six running, five waiting, four dead and three done tasks, all of them three days old; and one fresh task of each."""
    await scene.kinds("send")
    done = await scene.claimed(4)
    await scene.worker.settle(completed(*done))
    for age in (3 * DAY, 0.0):
        count = 1 if age == 0 else 4
        dead = await scene.claimed(count)
        await scene.worker.settle(failed(*dead, retryable=False))
        await scene.rows(
            "UPDATE taskfleet.dead_letters SET failed_at = now() - make_interval(secs => %s::double precision) WHERE task_id = ANY (%s)",
            age,
            [task.task_id for task in dead],
        )
        running = await scene.claimed(1 if age == 0 else 6)
        await scene.rows(
            "UPDATE taskfleet.leases SET started_at = now() - make_interval(secs => %s::double precision) WHERE task_id = ANY (%s)",
            age,
            [task.task_id for task in running],
        )
    old = datetime.now(UTC) - timedelta(days=3)
    await scene.rows("SELECT taskfleet.create_partitions_v1(%s::date, 1)", old.date())
    await scene.rows("UPDATE taskfleet.succeeded_tasks SET finished_at = %s WHERE id = ANY (%s)", old, [task.task_id for task in done[:3]])
    await scene.fill(5, age=3 * DAY)
    await scene.fill(1)


LIMITS = Overrides(waiting_seconds=2 * DAY, running_seconds=2 * DAY, failed_seconds=2 * DAY, succeeded_seconds=DAY)
ALL = [("running", "send", 6), ("waiting", "send", 5), ("failed", "send", 4), ("succeeded", "*", 3)]


@pytest.mark.requirement("D1", "D2", "D4")
@pytest.mark.parametrize("batch", [2, 500])
async def test_four_steps_end_and_forget_what_is_past_its_limit(scene: Scene, batch: int) -> None:
    await everything_old(scene)
    told: list[int] = []

    cleaning = await cleanup(scene.database, Cleanup(limits=LIMITS, batch=batch), actor="ann", progress=told.append)

    assert [(item.step, item.kind, item.count) for item in cleaning.done] == ALL
    assert sum(told) == cleaning.total == 18
    left = [await scene.count(relation) for relation in ("leases", "ready", "dead_letters", "succeeded_tasks")]
    assert left == [1, 1, 1 + 6 + 5, 1]
    assert await scene.faults() == []


@pytest.mark.requirement("D4")
async def test_dry_run_counts_the_same_and_changes_nothing(scene: Scene) -> None:
    await everything_old(scene)

    dry = await cleanup(scene.database, Cleanup(limits=LIMITS, batch=2, dry_run=True), actor="ann")

    assert [(item.step, item.kind, item.count) for item in dry.done] == ALL
    assert [await scene.count(relation) for relation in ("leases", "ready", "dead_letters", "audit_log", "retention_marks")] == [
        7,
        6,
        5,
        0,
        0,
    ]


@pytest.mark.requirement("D1")
async def test_what_ran_too_long_tells_so(scene: Scene) -> None:
    (task,) = await scene.claimed(1, key="key")
    await scene.rows("UPDATE taskfleet.leases SET started_at = now() - interval '25 hours'")

    await cleanup(scene.database, Cleanup(queue=QUEUE), actor="ann")

    found = await scene.reader.get_task(task.task_id)
    assert (found.state, found.dead_reason, found.code) == (TaskState.FAILED, DeadReason.NON_RETRYABLE, "TASK_TIMED_OUT")
    assert found.message == "it ran longer than the 86400 s that are allowed"
    assert [attempt.code for attempt in found.attempts] == ["TASK_TIMED_OUT"]
    assert (await scene.worker.settle(completed(task))).stale == (task.task_id,)
    assert await scene.count("idempotency_keys") == 0
    assert await scene.faults() == []


@pytest.mark.requirement("D4")
@pytest.mark.parametrize(
    ("force", "reasons"),
    [(TaskState.FAILED, {"expired": 5, "non_retryable": 10}), (TaskState.CANCELLED, {"cancelled": 11, "non_retryable": 4})],
)
async def test_state_is_forced_on_all_that_is_older(scene: Scene, force: TaskState, reasons: dict[str, int]) -> None:
    await everything_old(scene)
    limits = Overrides(waiting_seconds=2 * DAY, running_seconds=2 * DAY)

    cleaning = await cleanup(scene.database, Cleanup(limits=limits, force=force), actor="ann")

    rows = await scene.rows(
        "SELECT reason, count(*) FROM taskfleet.dead_letters WHERE failed_at > now() - interval '3 days' OR state = 'failed' GROUP BY 1"
    )
    found = {row["reason"]: row["count"] for row in rows}
    assert [(item.step, item.count) for item in cleaning.done] == [("running", 6), ("waiting", 5)]
    # One that failed by itself just now is among them.
    assert found == {**reasons, "non_retryable": reasons["non_retryable"] + 1}
    assert await scene.faults() == []


async def test_waiting_tasks_of_a_paused_queue_are_left_unless_a_limit_is_given(scene: Scene) -> None:
    await scene.fill(3, age=3 * DAY)
    await scene.rows("UPDATE taskfleet.queues SET paused = true")

    by_policy = await cleanup(scene.database, Cleanup(), actor="ann")
    by_limit = await cleanup(scene.database, Cleanup(limits=Overrides(waiting_seconds=HOUR)), actor="ann")

    assert ([left.kind for left in by_policy.left], by_policy.total) == (["send"], 0)
    assert by_limit.total == 3


@pytest.mark.requirement("D6")
async def test_every_batch_and_the_run_are_audited(scene: Scene) -> None:
    await everything_old(scene)

    await cleanup(scene.database, Cleanup(limits=LIMITS, batch=4), actor="ann")

    rows = await scene.rows(
        "SELECT action, outcome, sum((detail ->> 'count')::integer)::integer AS count FROM taskfleet.audit_log GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert [(row["action"], row["outcome"], row["count"]) for row in rows] == [
        ("cleanup", "summary", 18),
        ("cleanup.failed", "done", 4),
        ("cleanup.running", "done", 6),
        ("cleanup.succeeded", "done", 3),
        ("expire", "failed", 5),
    ]


async def nightly_due(scene: Scene, *, hours_ago: float = 30) -> None:
    await scene.rows("UPDATE taskfleet.maintenance_jobs SET ran_at = now() - make_interval(secs => %s::double precision * 3600)", hours_ago)


@pytest.mark.requirement("D3")
async def test_night_cleans_queues_without_a_policy_and_leaves_the_others_to_the_day(scene: Scene) -> None:
    await scene.fill(3, age=3 * HOUR)
    await nightly_due(scene)

    without = await run_once(scene.database, ["nightly_dry_run", "nightly_cleanup"])
    await scene.policy(KindPolicy(kind="send"))
    await scene.fill(2, age=50 * HOUR)
    await nightly_due(scene)
    with_policy = await run_once(scene.database, ["nightly_cleanup"])

    assert without == {"nightly_dry_run": 0, "nightly_cleanup": 3}
    assert with_policy == {"nightly_cleanup": 0}


@pytest.mark.requirement("D3")
async def test_night_comes_once_a_day_at_its_hour(scene: Scene) -> None:
    now = datetime.now(UTC)
    passed = (now.hour + now.minute / 60 - 0.02) % 24
    await nightly_due(scene)

    first = await scene.maintenance.begin_nightly("nightly_cleanup", hour=passed)
    second = await scene.maintenance.begin_nightly("nightly_cleanup", hour=passed)
    later = await scene.maintenance.begin_nightly("nightly_cleanup", hour=(passed + 0.1) % 24)

    assert (first, second, later) == (True, False, False)


@pytest.mark.requirement("D3")
async def test_new_database_waits_for_its_first_night(scene: Scene) -> None:
    await scene.fill(3, age=3 * HOUR)
    two_hours_on = (datetime.now(UTC).hour + 2) % 24

    settings = MaintenanceSettings(nightly_hour=two_hours_on, nightly_dry_run_hour=two_hours_on)
    handled = await run_once(scene.database, ["nightly_dry_run", "nightly_cleanup"], settings=settings)

    assert handled == {"nightly_dry_run": 0, "nightly_cleanup": 0}
    assert await scene.count("ready") == 3
