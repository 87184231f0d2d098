"""Jobs of maintenance that end or forget: what nobody serves, successes and audit entries past their time; preview and audit."""

from datetime import UTC, datetime, timedelta

import pytest

from taskfleet.maintenance import MaintenanceSettings, preview, run_once
from taskfleet.models import KindPolicy, QueuePolicy
from taskfleet.words import DeadReason
from tests.integration.queue.scene import QUEUE, Scene, failed

UNSERVED = MaintenanceSettings(unsupported_after_seconds=300)


async def aged(scene: Scene, *, seconds: float = 400) -> None:
    """As if every worker had started so long ago."""
    await scene.rows("UPDATE taskfleet.sessions SET started_at = now() - make_interval(secs => %s::double precision)", seconds)


@pytest.mark.requirement("B6")
async def test_kind_that_nobody_serves_fails_once_a_worker_was_live_for_long_enough(scene: Scene) -> None:
    (lonely,) = await scene.fill(1, kind="resize", age=400)
    await scene.fill(1, kind="resize", age=10)
    await scene.fill(1, age=400)
    await scene.session("send")
    await aged(scene)

    handled = await run_once(scene.database, ["fail_unserved"], settings=UNSERVED)

    found = await scene.reader.get_task(lonely)
    assert handled == {"fail_unserved": 1}
    assert (found.dead_reason, found.code) == (DeadReason.NON_RETRYABLE, "TASK_PAYLOAD_UNSUPPORTED")
    assert found.message == f"no worker of queue {QUEUE} has had a handler for kind resize for 300 s"
    assert await scene.value("SELECT detail ->> 'count' FROM taskfleet.audit_log WHERE action = 'fail_unserved'") == "1"
    assert await scene.faults() == []


@pytest.mark.requirement("B6")
@pytest.mark.parametrize(
    "reason",
    [
        pytest.param("DELETE FROM taskfleet.sessions", id="no worker at all"),
        pytest.param("UPDATE taskfleet.sessions SET started_at = now() - interval '299 seconds'", id="live for too short"),
        pytest.param("UPDATE taskfleet.sessions SET draining = true", id="draining"),
        pytest.param("UPDATE taskfleet.sessions SET expires_at = now() - interval '1 second'", id="lost"),
        pytest.param("UPDATE taskfleet.sessions SET closed_at = now(), expires_at = now()", id="closed"),
        pytest.param("UPDATE taskfleet.sessions SET kinds = kinds || 'resize'::text", id="somebody has a handler"),
        pytest.param("UPDATE taskfleet.queues SET held = true", id="held queue"),
        pytest.param("UPDATE taskfleet.kinds SET paused = true", id="paused kind"),
    ],
)
async def test_unserved_kind_is_left_when_it_may_yet_be_served(scene: Scene, reason: str) -> None:
    await scene.fill(1, kind="resize", age=400)
    await scene.session("send")
    await aged(scene)
    await scene.rows(reason)

    handled = await run_once(scene.database, ["fail_unserved"], settings=UNSERVED)

    assert handled == {"fail_unserved": 0}


@pytest.mark.requirement("B6")
async def test_kind_whose_last_worker_has_just_gone_is_left(scene: Scene) -> None:
    await scene.fill(1, kind="resize", age=400)
    await scene.session("send")
    await aged(scene)
    gone = await scene.session("resize")
    await scene.rows("UPDATE taskfleet.sessions SET closed_at = now(), expires_at = now() - interval '100 seconds' WHERE id = %s", gone)

    handled = await run_once(scene.database, ["fail_unserved"], settings=UNSERVED)

    assert handled == {"fail_unserved": 0}


async def succeeded(scene: Scene, queue: str, count: int, *, days: int) -> None:
    day = datetime.now(UTC) - timedelta(days=days)
    await scene.rows("SELECT taskfleet.create_partitions_v1(%s::date, 1)", day.date())
    await scene.rows(
        "WITH kind AS (SELECT kinds.id FROM taskfleet.kinds JOIN taskfleet.queues ON queues.id = queue_id WHERE queues.name = %s),"
        " done AS (INSERT INTO taskfleet.succeeded_tasks SELECT nextval('taskfleet.audit_ids'), %s, %s, %s, kind.id, 1, NULL"
        " FROM kind, generate_series(1, %s) RETURNING kind_id)"
        " INSERT INTO taskfleet.state_ledger SELECT kind_id, 'succeeded', count(*) FROM done GROUP BY 1",
        *(queue, day, day, day, count),
    )


@pytest.mark.requirement("D2")
async def test_queue_that_keeps_less_is_trimmed_and_its_days_are_not_looked_at_again(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"), succeeded_retention_seconds=86_400)
    await scene.operator.write_policy(QueuePolicy(queue="other", kinds=[KindPolicy(kind="keep")]), epoch=None)
    for queue in (QUEUE, "other"):
        await succeeded(scene, queue, 5, days=4)
        await succeeded(scene, queue, 7, days=2)
        await succeeded(scene, queue, 2, days=0)

    handled = await run_once(scene.database, ["trim_succeeded"], settings=MaintenanceSettings(trim_batch=4))
    again = await run_once(scene.database, ["trim_succeeded"])

    kept = await scene.rows(
        "SELECT name, count(*) AS count FROM taskfleet.succeeded_tasks JOIN taskfleet.kinds ON kinds.id = kind_id GROUP BY 1 ORDER BY 1"
    )
    assert (handled, again) == ({"trim_succeeded": 12}, {"trim_succeeded": 0})
    assert kept == [{"name": "keep", "count": 14}, {"name": "send", "count": 2}]
    assert await scene.value("SELECT trimmed_until = (now() AT TIME ZONE 'UTC')::date - 1 FROM taskfleet.retention_marks") is True
    assert (
        await scene.value("SELECT sum((detail ->> 'count')::integer)::integer FROM taskfleet.audit_log WHERE action = 'trim_succeeded'")
        == 12
    )
    assert await scene.faults() == []


async def audited(scene: Scene, count: int, *, days: int) -> None:
    await scene.rows("SELECT taskfleet.create_partitions_v1((now() AT TIME ZONE 'UTC')::date - %s::integer, 1)", days)
    await scene.rows(
        "INSERT INTO taskfleet.audit_log (at, actor, action, outcome)"
        " SELECT now() - make_interval(days => %s), 'ann', 'retry', 'done' FROM generate_series(1, %s)",
        *(days, count),
    )


@pytest.mark.requirement("B13")
async def test_audit_entries_live_for_their_time_and_the_trim_is_audited(scene: Scene) -> None:
    await audited(scene, 12, days=31)
    await audited(scene, 3, days=29)

    handled = await run_once(scene.database, ["trim_audit"], settings=MaintenanceSettings(audit_trim_batch=5))

    left = await scene.rows(
        "SELECT actor, action, count(*) AS count, sum((detail ->> 'count')::integer) AS sum"
        " FROM taskfleet.audit_log GROUP BY 1, 2 ORDER BY 1"
    )
    assert handled == {"trim_audit": 12}
    assert left == [
        {"actor": "ann", "action": "retry", "count": 3, "sum": None},
        {"actor": "maintenance", "action": "trim_audit", "count": 3, "sum": 12},
    ]


@pytest.mark.requirement("B13")
async def test_audit_kept_for_ever_is_neither_trimmed_nor_dropped(scene: Scene) -> None:
    await audited(scene, 2, days=400)

    handled = await run_once(scene.database, ["trim_audit", "drop_old_partitions"], settings=MaintenanceSettings(audit_seconds=0))

    # The day's attempts and successes went.
    assert handled == {"trim_audit": 0, "drop_old_partitions": 2}
    assert await scene.value("SELECT count(*) FROM taskfleet.audit_log WHERE actor = 'ann'") == 2


@pytest.mark.requirement("D6")
async def test_dropped_days_are_audited(scene: Scene) -> None:
    await audited(scene, 2, days=40)

    await run_once(scene.database, ["drop_old_partitions"])

    dropped = await scene.rows(
        "SELECT detail ->> 'partition' AS partition FROM taskfleet.audit_log WHERE action = 'drop_partition' ORDER BY 1"
    )
    day = f"{datetime.now(UTC) - timedelta(days=40):%Y%m%d}"
    assert [row["partition"] for row in dropped] == [f"attempts_{day}", f"audit_log_{day}", f"succeeded_tasks_{day}"]


@pytest.mark.requirement("D6")
async def test_expiry_and_trimming_by_maintenance_are_audited_by_kind(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"), waiting_expiry_seconds=100, failed_retention_seconds=50)
    (task,) = await scene.claimed()
    await scene.fill(7, age=150)
    await scene.worker.settle(failed(task, retryable=False))
    await scene.rows("UPDATE taskfleet.dead_letters SET failed_at = now() - interval '1 minute'")

    await run_once(scene.database, ["expire_waiting", "trim_dead_letters"])

    rows = await scene.rows("SELECT actor, action, queue, kind, detail ->> 'count' AS count FROM taskfleet.audit_log ORDER BY id")
    same = {"actor": "maintenance", "queue": QUEUE, "kind": "send"}
    assert rows == [{**same, "action": "expire_waiting", "count": "7"}, {**same, "action": "trim_dead_letters", "count": "1"}]


@pytest.mark.requirement("D6", "D1")
async def test_time_outs_are_audited_with_what_became_of_the_tasks(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", timeout_seconds=30, max_attempts=2))
    await scene.claimed(3)
    await scene.rows("UPDATE taskfleet.leases SET deadline_at = now(), attempt_count = attempt_count + task_id % 2")

    await run_once(scene.database, ["time_out_running"])

    rows = await scene.rows("SELECT action, kind, outcome, detail ->> 'count' AS count FROM taskfleet.audit_log ORDER BY outcome")
    same = {"action": "time_out_running", "kind": "send"}
    assert rows == [{**same, "outcome": "failed", "count": "2"}, {**same, "outcome": "retried", "count": "1"}]


async def test_preview_says_what_each_job_would_do_and_changes_nothing(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"), waiting_expiry_seconds=100)
    tasks = await scene.claimed(3)
    await scene.fill(7, age=150)
    await audited(scene, 4, days=31)
    await scene.worker.settle(failed(tasks[0], retryable=False))
    await scene.rows("UPDATE taskfleet.dead_letters SET failed_at = now() - interval '8 days'")
    await scene.rows("UPDATE taskfleet.leases SET deadline_at = now()")
    await scene.expire_session(scene.sessions[0])
    await scene.rows(f"DROP TABLE taskfleet.attempts_{datetime.now(UTC) + timedelta(days=1):%Y%m%d}")
    await scene.rows(
        "INSERT INTO taskfleet.schedules (queue_id, name, cron, time_zone, task, next_at)"
        " SELECT id, 'nightly', '0 3 * * *', 'UTC', '{}', now() FROM taskfleet.queues"
    )
    await scene.rows("SELECT taskfleet.pause_group_v1('mail', 'tenant')")
    await scene.rows("SELECT taskfleet.create_partitions_v1(current_date - 60, 1)")
    settings = MaintenanceSettings(partition_days_ahead=2)

    found = dict(await preview(scene.database, settings=settings))
    again = dict(await preview(scene.database, settings=settings))

    assert found.pop("fold_ledgers") > 0
    assert found == {
        "carry_out_requests": 1,
        "create_partitions": 1,
        "drop_old_partitions": 6,
        "expire_waiting": 7,
        "recover_leases": 2,
        "run_schedules": 1,
        "time_out_running": 2,
        "trim_audit": 4,
        "trim_dead_letters": 1,
        "trim_memory": 0,
    }
    assert {**found, "fold_ledgers": again["fold_ledgers"]} == again
