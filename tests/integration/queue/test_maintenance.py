"""What keeps the queue healthy, whoever is up."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import psycopg
import pytest

from taskfleet.maintenance import JOBS, Job, Maintenance, MaintenanceSettings, run_once
from taskfleet.models import KindPolicy
from taskfleet.store.maintenance_store import Batch
from taskfleet.words import DeadReason, TaskState
from tests.integration.queue.scene import Scene, completed, failed
from tests.support.waiting import eventually


@pytest.mark.requirement("B4")
async def test_tasks_of_a_lost_worker_come_back_and_one_attempt_is_used_up(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", min_backoff_seconds=0, max_backoff_seconds=0))
    (task,) = await scene.claimed()
    await scene.expire_session(scene.sessions[0])

    handled = await run_once(scene.database, ["recover_leases"])

    (again,) = (await scene.claim(await scene.session())).tasks
    (attempt,) = (await scene.reader.get_task(task.task_id)).attempts
    assert handled == {"recover_leases": 1}
    assert (again.task_id, again.attempt) == (task.task_id, 2)
    assert (attempt.code, attempt.message) == ("TASK_LEASE_EXPIRED", "worker worker-1 was not heard of for 60 s")


@pytest.mark.requirement("B4")
async def test_recovery_goes_on_batch_by_batch(scene: Scene) -> None:
    await scene.claimed(25)
    await scene.expire_session(scene.sessions[0])

    handled = await run_once(scene.database, ["recover_leases"], settings=MaintenanceSettings(recover_batch=10))

    assert handled == {"recover_leases": 25}
    assert await scene.count("leases") == 0


async def test_live_worker_loses_nothing(scene: Scene) -> None:
    await scene.claimed(3)

    handled = await run_once(scene.database)

    assert (handled["recover_leases"], await scene.count("leases")) == (0, 3)


@pytest.mark.requirement("B8")
async def test_task_that_kills_its_workers_is_given_up_in_the_end(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_attempts=2, min_backoff_seconds=0, max_backoff_seconds=0))
    (task_id,) = await scene.fill()
    for _ in range(2):
        session = await scene.session()
        await scene.claim(session)
        await scene.expire_session(session)
        await run_once(scene.database, ["recover_leases"])

    found = await scene.reader.get_task(task_id)

    assert (found.state, found.dead_reason, found.code) == (TaskState.FAILED, DeadReason.MAX_ATTEMPTS_EXCEEDED, "TASK_LEASE_EXPIRED")


@pytest.mark.requirement("D1")
async def test_running_past_the_time_out_of_its_kind_is_tried_again(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", timeout_seconds=30))
    (task,) = await scene.claimed()
    await scene.rows("UPDATE taskfleet.leases SET deadline_at = now()")

    await run_once(scene.database, ["time_out_running"])

    found = await scene.reader.get_task(task.task_id)
    assert (found.state, found.attempts[0].code) == (TaskState.SCHEDULED, "TASK_TIMED_OUT")


@pytest.mark.requirement("D1")
async def test_running_past_the_time_out_of_the_queue_has_failed(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"), running_timeout_seconds=86_400)
    (task,) = await scene.claimed()
    await scene.rows("UPDATE taskfleet.leases SET deadline_at = now()")

    await run_once(scene.database, ["time_out_running"])

    found = await scene.reader.get_task(task.task_id)
    assert (found.state, found.dead_reason, found.code) == (TaskState.FAILED, DeadReason.NON_RETRYABLE, "TASK_TIMED_OUT")
    assert found.message == "it ran longer than the 86400 s that are allowed"


async def test_deadline_is_counted_from_the_start_by_the_shorter_time_out(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", timeout_seconds=30), KindPolicy(kind="resize"), running_timeout_seconds=500)
    await scene.fill(kind="send")
    await scene.fill(kind="resize")
    await scene.claim(await scene.session("send", "resize"), "send", "resize")

    allowed = await scene.rows(
        "SELECT name, extract(epoch FROM deadline_at - started_at)::integer AS seconds "
        "FROM taskfleet.leases JOIN taskfleet.kinds ON kinds.id = kind_id ORDER BY name"
    )

    assert allowed == [{"name": "resize", "seconds": 500}, {"name": "send", "seconds": 30}]


@pytest.mark.requirement("A6", "B8", "D1")
async def test_waiting_too_long_ends_as_expired(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"), waiting_expiry_seconds=100)
    old = await scene.fill(25, age=150, key="old")
    young = await scene.fill(5, age=50)
    later = await scene.fill(5, age=-500)

    handled = await run_once(scene.database, ["expire_waiting"], settings=MaintenanceSettings(expire_batch=10))

    found = await scene.reader.get_task(old[0])
    assert handled == {"expire_waiting": 25}
    assert (found.state, found.dead_reason, found.code) == (TaskState.FAILED, DeadReason.EXPIRED, "TASK_EXPIRED")
    assert await scene.count("ready") == len(young) + len(later)
    assert await scene.count("idempotency_keys") == 0
    assert (await scene.outcomes())["failed", "TASK_EXPIRED"] == 25
    assert await scene.faults() == []


async def test_task_that_was_tried_expires_by_its_first_time(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", min_backoff_seconds=40, max_backoff_seconds=40), waiting_expiry_seconds=100)
    (task,) = await scene.claimed(age=10)
    await scene.worker.settle(failed(task))
    await scene.rows("UPDATE taskfleet.ready SET due_since = now() - interval '101 seconds'")

    await run_once(scene.database, ["expire_waiting"])

    assert (await scene.reader.get_task(task.task_id)).dead_reason is DeadReason.EXPIRED


@pytest.mark.parametrize("pause", ["UPDATE taskfleet.queues SET held = true", "UPDATE taskfleet.kinds SET paused = true"])
async def test_time_stands_still_for_what_is_held(scene: Scene, pause: str) -> None:
    await scene.policy(KindPolicy(kind="send"), waiting_expiry_seconds=100)
    await scene.fill(3, age=150)
    await scene.rows(pause)

    handled = await run_once(scene.database, ["expire_waiting"])

    assert handled == {"expire_waiting": 0}


async def test_folding_changes_no_sum(scene: Scene) -> None:
    await scene.fill(30, age=10_000, apart=300)
    await scene.fill(30, age=20)
    tasks = (await scene.claim(await scene.session(), limit=10)).tasks
    await scene.worker.settle(completed(*tasks[:5]))
    await scene.worker.settle(failed(*tasks[5:], retryable=False))
    before = await scene.reader.stats(scene.queue), await scene.outcomes()

    handled = await run_once(scene.database, ["fold_ledgers"], settings=MaintenanceSettings(fold_batch=7))

    after = await scene.reader.stats(scene.queue), await scene.outcomes()
    assert handled["fold_ledgers"] > 0
    assert [await scene.count(ledger) for ledger in ("backlog_ledger", "outcome_ledger", "state_ledger")] == [0, 0, 0]
    assert (after[0].kinds, after[0].failed_by_code, after[1]) == (before[0].kinds, before[0].failed_by_code, before[1])
    assert await scene.faults() == []


async def test_aged_buckets_grow_wider_and_empty_ones_go(scene: Scene) -> None:
    await scene.fill(600, age=36_000, apart=30)
    await run_once(scene.database, ["fold_ledgers"])
    narrow = datetime.now(UTC) - timedelta(hours=5)
    await scene.rows("INSERT INTO taskfleet.backlog_buckets SELECT kind_id, priority, %s, 0 FROM taskfleet.backlog_buckets LIMIT 1", narrow)

    await run_once(scene.database, ["fold_ledgers"])

    empty = await scene.value("SELECT count(*) FROM taskfleet.backlog_buckets WHERE waiting = 0 OR bucket = %s", narrow)
    # Five to ten hours ago: five or six of an hour each.
    assert await scene.count("backlog_buckets") <= 6
    assert empty == 0
    assert await scene.faults() == []


async def test_partitions_are_made_ahead(scene: Scene) -> None:
    await scene.rows("SELECT taskfleet.create_partitions_v1(current_date, 1)")

    handled = await run_once(scene.database, ["create_partitions"], settings=MaintenanceSettings(partition_days_ahead=20))

    again = await run_once(scene.database, ["create_partitions"], settings=MaintenanceSettings(partition_days_ahead=20))
    assert (handled["create_partitions"], again["create_partitions"]) == (3 * 13, 0)


@pytest.mark.requirement("D2")
async def test_days_that_nobody_keeps_are_dropped_and_the_ledger_follows(scene: Scene) -> None:
    await scene.kinds("send")
    day = datetime.now(UTC) - timedelta(days=40)
    await scene.rows("SELECT taskfleet.create_partitions_v1(%s::date, 1)", day.date())
    await scene.rows("INSERT INTO taskfleet.succeeded_tasks SELECT 1, %s, %s, %s, kinds.id, 1, NULL FROM taskfleet.kinds", day, day, day)
    await scene.rows("INSERT INTO taskfleet.state_ledger SELECT id, 'succeeded', 1 FROM taskfleet.kinds")

    handled = await run_once(scene.database, ["drop_old_partitions"])

    assert handled == {"drop_old_partitions": 3}
    assert await scene.count("succeeded_tasks") == 0
    assert await scene.faults() == []


async def test_partition_that_somebody_reads_is_left_and_writers_go_on(
    scene: Scene, connection: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    (task,) = await scene.claimed()
    day = datetime.now(UTC) - timedelta(days=40)
    await scene.rows("SELECT taskfleet.create_partitions_v1(%s::date, 1)", day.date())

    with connection.transaction():
        connection.execute("SELECT count(*) FROM taskfleet.succeeded_tasks")
        held, settled = await asyncio.gather(run_once(scene.database, ["drop_old_partitions"]), scene.worker.settle(completed(task)))
    after = await run_once(scene.database, ["drop_old_partitions"])

    assert settled.finished == (task.task_id,)
    assert (held, after) == ({"drop_old_partitions": 2}, {"drop_old_partitions": 1})


@pytest.mark.requirement("D2")
async def test_dead_letters_go_after_their_retention_payload_included(scene: Scene) -> None:
    old, young = await scene.claimed(2)
    await scene.worker.settle(failed(old, young, retryable=False))
    await scene.rows("UPDATE taskfleet.dead_letters SET failed_at = now() - interval '8 days' WHERE task_id = %s", old.task_id)

    handled = await run_once(scene.database, ["trim_dead_letters"])

    assert handled == {"trim_dead_letters": 1}
    assert [row["id"] for row in await scene.rows("SELECT id FROM taskfleet.tasks")] == [young.task_id]
    assert await scene.faults() == []


async def test_what_is_over_is_forgotten(scene: Scene) -> None:
    await scene.session()
    kept = await scene.session()
    await scene.rows("UPDATE taskfleet.sessions SET expires_at = now() - interval '2 days' WHERE id <> %s", kept)
    await scene.rows("INSERT INTO taskfleet.missing_entities SELECT id, 'old', now() - interval '1 second' FROM taskfleet.queues")
    await scene.rows("INSERT INTO taskfleet.missing_entities SELECT id, 'new', now() + interval '1 minute' FROM taskfleet.queues")
    await scene.rows(
        "INSERT INTO taskfleet.outcome_minutes SELECT id, now() - interval '31 days', 'succeeded', '', 1, 1 FROM taskfleet.kinds"
    )
    await scene.rows(
        "INSERT INTO taskfleet.decisions"
        " (queue_id, decided_at, replicas, wanted, desired, reason, message, ready, running, oldest_seconds, steps)"
        " SELECT id, now() - interval '31 days', 1, 1, 1, 'Steady', '', 0, 0, 0, '[]' FROM taskfleet.queues"
    )

    await run_once(scene.database, ["trim_memory"])

    left = [await scene.count(relation) for relation in ("sessions", "missing_entities", "outcome_minutes", "decisions")]
    assert left == [1, 1, 0, 0]


async def test_fleet_keeps_the_interval_of_a_job_together(scene: Scene) -> None:
    first = await scene.maintenance.fold_ledgers(due_seconds=60, limit=100)
    second = await scene.maintenance.fold_ledgers(due_seconds=60, limit=100)
    at_once = await scene.maintenance.fold_ledgers(due_seconds=0, limit=100)

    assert [batch.ran for batch in (first, second, at_once)] == [True, False, True]


async def test_fleet_that_asks_all_the_time_opens_no_transaction_for_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    transactions = Mock(wraps=scene.database.transaction)
    monkeypatch.setattr(scene.database, "transaction", transactions)

    ran = [(await scene.maintenance.fold_ledgers(due_seconds=60, limit=10)).ran for _ in range(5)]

    assert (ran, transactions.call_count) == ([True, False, False, False, False], 1)


async def test_one_runs_a_job_at_a_time(scene: Scene, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(taskfleet.lock_class('job'), hashtext('fold_ledgers'))")
        held = await scene.maintenance.fold_ledgers(due_seconds=0, limit=100)
        other = await scene.maintenance.recover_leases(due_seconds=0, limit=100)

    assert (held, other.ran) == (Batch(ran=False), True)


async def test_unknown_job_is_named_with_those_there_are(scene: Scene) -> None:
    with pytest.raises(ValueError, match="no maintenance job 'fold': there are recover_leases, fold_ledgers"):
        await run_once(scene.database, ["fold"])


@pytest.mark.requirement("A2")
async def test_loop_survives_a_job_that_raises_and_runs_the_others(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: object) -> Batch:
        raise RuntimeError("it broke")

    bad = Job(name="bad", interval_seconds=lambda _: 0.01, batch=broken)
    stop = asyncio.Event()
    await scene.claimed(3)
    await scene.expire_session(scene.sessions[0])
    maintenance = Maintenance(scene.database, settings=MaintenanceSettings(recover_seconds=0.05, fold_seconds=0.05), jobs=[bad, *JOBS])

    with caplog.at_level(logging.ERROR):
        running = asyncio.create_task(maintenance.run(stop))
        await eventually(lambda: maintenance.failures.get("bad", 0) >= 2 and maintenance.handled.get("recover_leases") == 3)
        stop.set()
        await running

    assert "maintenance.failed" in caplog.text
    assert await scene.count("leases") == 0


async def test_loop_stops_when_told(scene: Scene) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(Maintenance(scene.database).run(stop))

    stop.set()

    await asyncio.wait_for(running, timeout=10)
