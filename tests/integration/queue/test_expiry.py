"""Bulk expiry by command: filters, limits, dry run, audit, and going on after a cut."""

import asyncio

import psycopg
import pytest

from taskfleet.errors import JobBusyError
from taskfleet.maintenance import run_once
from taskfleet.maintenance.expiry import Expiry, expire
from taskfleet.models import KindPolicy
from taskfleet.store import sweep_store
from taskfleet.words import DeadReason, TaskState
from tests.integration.queue.scene import QUEUE, Scene, failed

HOUR = 3_600.0


async def dead(scene: Scene) -> list[tuple[str, int]]:
    rows = await scene.rows(
        "SELECT kinds.name, count(*) AS count FROM taskfleet.dead_letters JOIN taskfleet.kinds ON kinds.id = kind_id GROUP BY 1 ORDER BY 1"
    )
    return [(row["name"], row["count"]) for row in rows]


@pytest.mark.requirement("A6")
async def test_all_that_waited_too_long_ends_in_batches(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"), KindPolicy(kind="resize"), wait_goal_seconds=60)
    old = await scene.fill(25, age=50 * HOUR, key="old")
    await scene.fill(13, kind="resize", age=49 * HOUR)
    await scene.fill(5, age=47 * HOUR)
    steps: list[int] = []

    cleaning = await expire(scene.database, Expiry(queue=QUEUE, batch=10), actor="ann", progress=steps.append)

    found = await scene.reader.get_task(old[0])
    assert [(item.kind, item.count, item.limit_seconds) for item in cleaning.done] == [("resize", 13, 48 * HOUR), ("send", 25, 48 * HOUR)]
    assert (cleaning.total, sum(steps), max(steps)) == (38, 38, 10)
    assert (found.state, found.dead_reason, found.code) == (TaskState.FAILED, DeadReason.EXPIRED, "TASK_EXPIRED")
    assert await scene.count("ready") == 5
    assert await scene.count("idempotency_keys") == 0
    assert await scene.faults() == []


@pytest.mark.requirement("A6")
async def test_dry_run_counts_the_same_and_changes_nothing(scene: Scene) -> None:
    await scene.fill(25, age=3 * HOUR)
    wanted = Expiry(queue=QUEUE, batch=10)

    dry = await expire(scene.database, Expiry(queue=QUEUE, batch=10, dry_run=True), actor="ann")
    between = await scene.count("ready"), await scene.count("audit_log")
    real = await expire(scene.database, wanted, actor="ann")

    assert (dry.done, dry.dry_run) == (real.done, True)
    assert between == (25, 0)


@pytest.mark.requirement("A6")
@pytest.mark.parametrize("batch", [4, 1_000])
async def test_filters_by_kind_group_and_age(scene: Scene, batch: int) -> None:
    await scene.fill(20, age=10 * HOUR, apart=0, group="a")
    await scene.fill(7, age=10 * HOUR, apart=0, group="b")
    await scene.fill(3, age=5 * HOUR, group="b")
    await scene.fill(5, kind="resize", age=10 * HOUR, group="b")

    cleaning = await expire(scene.database, Expiry(kind="send", group="b", older_than_seconds=6 * HOUR, batch=batch), actor="ann")

    assert await dead(scene) == [("send", 7)]
    assert cleaning.total == 7
    assert await scene.faults() == []


@pytest.mark.requirement("A6")
@pytest.mark.parametrize("group", [None, "a"])
async def test_task_that_waits_for_another_attempt_ends_by_its_first_time(scene: Scene, group: str | None) -> None:
    await scene.policy(KindPolicy(kind="send", min_backoff_seconds=900, max_backoff_seconds=900, max_attempts=9))
    tasks = await scene.claimed(9, age=10, group="a")
    await scene.worker.settle(failed(*tasks))
    await scene.rows("UPDATE taskfleet.ready SET due_since = now() - interval '3 hours'")

    cleaning = await expire(scene.database, Expiry(group=group, older_than_seconds=2 * HOUR, batch=4), actor="ann")

    assert (cleaning.total, await dead(scene)) == (9, [("send", 9)])
    assert await scene.faults() == []


@pytest.mark.requirement("D1")
@pytest.mark.parametrize(
    ("policy", "asked", "limit"),
    [
        pytest.param(None, None, 2 * HOUR, id="two hours without a policy"),
        pytest.param({"waiting_expiry_seconds": 30 * HOUR}, None, 30 * HOUR, id="the policy's"),
        pytest.param({"waiting_expiry_seconds": 30 * HOUR}, 5 * HOUR, 5 * HOUR, id="an explicit flag goes before the policy"),
        pytest.param({"wait_goal_seconds": 9 * HOUR}, 5 * HOUR, 9 * HOUR, id="never below the wait goal"),
        pytest.param({"stale_wait_seconds": 7 * HOUR}, 5 * HOUR, 7 * HOUR, id="never below the stale lane's wait"),
        pytest.param({"waiting_expiry_seconds": 60.0, "wait_goal_seconds": 90.0}, None, 90.0, id="nor by a policy at odds with itself"),
    ],
)
async def test_limit_is_the_flag_then_the_policy_then_two_hours(
    scene: Scene, policy: dict[str, float] | None, asked: float | None, limit: float
) -> None:
    if policy is not None:
        await scene.policy(KindPolicy(kind="send"), **policy)
    await scene.fill(1, age=limit - 10)
    (old,) = await scene.fill(1, age=limit + 10)

    cleaning = await expire(scene.database, Expiry(older_than_seconds=asked), actor="ann")

    assert [(item.count, item.limit_seconds) for item in cleaning.done] == [(1, limit)]
    assert (await scene.reader.get_task(old)).code == "TASK_EXPIRED"


@pytest.mark.requirement("A6")
async def test_time_stands_still_for_what_is_held_unless_an_age_is_given(scene: Scene) -> None:
    await scene.fill(3, age=50 * HOUR)
    await scene.rows("UPDATE taskfleet.queues SET paused = true")

    by_policy = await expire(scene.database, Expiry(), actor="ann")
    by_age = await expire(scene.database, Expiry(older_than_seconds=2 * HOUR), actor="ann")

    assert ([item.why for item in by_policy.left], by_policy.total) == (["held, paused or just resumed: its time stands still"], 0)
    assert by_age.total == 3


@pytest.mark.requirement("D6", "A6")
async def test_each_batch_is_audited_with_what_it_did_and_the_run_with_its_sum(scene: Scene) -> None:
    await scene.fill(12, age=3 * HOUR)

    cleaning = await expire(scene.database, Expiry(queue=QUEUE, batch=5), actor="ann")

    entries = await scene.rows(
        "SELECT actor, action, queue, kind, outcome, (detail ->> 'count')::integer AS count FROM taskfleet.audit_log ORDER BY id"
    )
    batches = await scene.rows("SELECT DISTINCT batch FROM taskfleet.audit_log")
    same = {"actor": "ann", "action": "expire", "queue": QUEUE}
    assert entries == [
        *({**same, "kind": "send", "outcome": "failed", "count": count} for count in (5, 5, 2)),
        {**same, "kind": None, "outcome": "summary", "count": 12},
    ]
    assert batches == [{"batch": cleaning.batch}]


@pytest.mark.requirement("A6")
async def test_run_that_is_cut_off_has_audited_what_it_did_and_the_next_one_goes_on(scene: Scene) -> None:
    await scene.fill(40, age=3 * HOUR)

    async def cut_off() -> None:
        """Ends in the middle of what follows the first batch."""
        this = asyncio.current_task()

        def stop(_done: int) -> None:
            assert this is not None
            this.cancel()

        await expire(scene.database, Expiry(batch=10), actor="ann", progress=stop)

    await asyncio.gather(asyncio.create_task(cut_off()), return_exceptions=True)
    done = await scene.count("dead_letters")
    audited = await scene.value("SELECT sum((detail ->> 'count')::integer) FROM taskfleet.audit_log WHERE outcome = 'failed'")
    second = await expire(scene.database, Expiry(batch=10), actor="ann")

    assert 10 <= done < 40
    assert audited == done
    assert second.total == 40 - done
    assert await scene.faults() == []


async def test_command_waits_for_a_job_that_is_under_way_but_not_for_ever(
    scene: Scene, connection: "psycopg.Connection[tuple[object, ...]]", monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.fill(1, age=3 * HOUR)
    monkeypatch.setattr(sweep_store, "_LOCK_TRIES", 2)

    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(taskfleet.lock_class('job'), hashtext('expire_waiting'))")
        with pytest.raises(JobBusyError, match="another process has been at job expire_waiting for more than"):
            await expire(scene.database, Expiry(), actor="ann")

    assert (await expire(scene.database, Expiry(), actor="ann")).total == 1


@pytest.mark.requirement("A6")
@pytest.mark.parametrize("relation", ["queues", "kinds"])
async def test_no_time_counts_from_before_it_was_resumed(scene: Scene, relation: str) -> None:
    await scene.policy(KindPolicy(kind="send"), waiting_expiry_seconds=HOUR)
    await scene.fill(3, age=50 * HOUR)
    await scene.rows(f"UPDATE taskfleet.{relation} SET resumed_at = now() - interval '59 minutes'")

    by_command, by_job = await expire(scene.database, Expiry(), actor="ann"), await run_once(scene.database, ["expire_waiting"])
    await scene.rows(f"UPDATE taskfleet.{relation} SET resumed_at = now() - interval '61 minutes'")
    later = await run_once(scene.database, ["expire_waiting"])

    assert (by_command.total, by_job, later) == (0, {"expire_waiting": 0}, {"expire_waiting": 3})


async def test_request_to_cancel_ends_with_its_task(scene: Scene) -> None:
    await scene.fill(1, age=3 * HOUR)
    await scene.rows("INSERT INTO taskfleet.cancel_requests SELECT id, now() FROM taskfleet.tasks")

    await expire(scene.database, Expiry(), actor="ann")

    assert await scene.count("cancel_requests") == 0
