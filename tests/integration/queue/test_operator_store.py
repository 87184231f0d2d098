"""What the operator sees, and what it may write."""

import asyncio
from dataclasses import replace

import pytest

from taskfleet.errors import InvalidPolicyError, StalePolicyError
from taskfleet.maintenance import run_once
from taskfleet.measurements import QueueMeasurement
from taskfleet.models import DecisionRecord, KindPolicy, QueuePolicy
from tests.integration.queue.scene import QUEUE, Scene, completed, failed

DECISION = DecisionRecord(
    queue=QUEUE,
    replicas=3,
    wanted=5,
    desired=4,
    reason="MaxReplicas",
    message="4 workers: …",
    ready=100,
    running=12,
    oldest_seconds=1.5,
    ceiling=8,
    steps=[{"step": "deadline", "slots": 5}],
)


async def measured(scene: Scene) -> QueueMeasurement:
    return (await scene.operator.measure([scene.queue]))[scene.queue]


@pytest.mark.requirement("K2")
@pytest.mark.parametrize("folded", [False, True], ids=["not folded yet", "folded"])
async def test_age_profile_tells_count_and_age_by_kind_and_priority(scene: Scene, folded: bool) -> None:
    await scene.fill(10, age=100)
    await scene.fill(5, age=20_000, priority=9)
    await scene.fill(3, kind="resize", age=1)
    if folded:
        await run_once(scene.database, ["fold_ledgers"])

    ready = (await measured(scene)).ready

    assert [(profile.kind, profile.priority, profile.counts) for profile in ready] == [
        ("resize", 5, [3]),
        ("send", 5, [10]),
        ("send", 9, [5]),
    ]
    assert [profile.oldest_seconds for profile in ready] == [
        pytest.approx(4, abs=7),
        pytest.approx(108, abs=12),
        pytest.approx(20_000 + 1_800, abs=1_830),
    ]


async def test_buckets_of_any_width_add_up_to_one_profile(scene: Scene) -> None:
    await scene.fill(40, age=4_000, apart=100)
    await scene.rows(
        "INSERT INTO taskfleet.backlog_buckets SELECT kind_id, priority, bucket, sum(delta) FROM taskfleet.backlog_ledger GROUP BY 1, 2, 3"
    )
    await scene.rows("UPDATE taskfleet.backlog_ledger SET delta = -delta")
    await scene.rows("INSERT INTO taskfleet.backlog_ledger SELECT kind_id, priority, run_at, 1 FROM taskfleet.ready")

    ready = (await measured(scene)).ready

    assert [(profile.kind, profile.count) for profile in ready] == [("send", 40)]
    assert len(set(ready[0].ages)) == len(ready[0].ages)


async def test_no_task_is_older_than_its_bucket_says(scene: Scene) -> None:
    await scene.fill(200, age=12_000, apart=60)

    ready = (await measured(scene)).ready

    oldest = await scene.value("SELECT extract(epoch FROM clock_timestamp() - min(run_at)) FROM taskfleet.ready")
    assert float(oldest) - 5 <= max(profile.oldest_seconds for profile in ready) <= float(oldest) + 3_600
    assert sum(profile.count for profile in ready) == 200
    assert len(ready[0].ages) < 200


async def test_scheduled_tasks_are_not_ready_and_become_so_by_themselves(scene: Scene) -> None:
    await scene.fill(4, age=-3_000)
    await scene.fill(3, age=-30)
    await scene.fill(2, age=1)

    seen = await measured(scene)

    assert (seen.scheduled, seen.scheduled_soon, sum(profile.count for profile in seen.ready)) == (7, 3, 2)


async def test_running_tasks_and_sessions_are_counted(scene: Scene) -> None:
    await scene.fill(3)
    await scene.fill(2, kind="resize")
    session = await scene.session("send", "resize", slots=8)
    await scene.session("send")
    await scene.claim(session, "send", "resize")
    await scene.rows("UPDATE taskfleet.leases SET started_at = started_at - interval '10 seconds'")

    seen = await measured(scene)

    assert [(running.kind, running.count) for running in seen.running] == [("resize", 2), ("send", 3)]
    assert seen.running[1].running_seconds == pytest.approx(30, abs=10)
    assert [(worker.slots, worker.leases, worker.kinds, worker.draining, worker.drained) for worker in seen.sessions] == [
        (8, 5, ("send", "resize"), False, False),
        (100, 0, ("send",), False, False),
    ]
    assert seen.ready == ()


async def test_arrivals_and_failures_are_counted(scene: Scene) -> None:
    tasks = await scene.claimed(10)
    await scene.worker.settle(completed(*tasks[:7]))
    await scene.worker.settle(failed(*tasks[7:], retryable=False))

    seen = await measured(scene)

    assert (seen.enqueued_total, seen.failed, seen.paused) == (10, 3, False)


async def test_queue_without_work_is_all_zero_and_unknown_ones_are_missing(scene: Scene) -> None:
    await scene.policy()

    seen = await scene.operator.measure([scene.queue, "nowhere"])

    assert seen == {QUEUE: QueueMeasurement(queue=QUEUE, measured_at=seen[QUEUE].measured_at)}


async def test_queues_do_not_see_each_other(scene: Scene) -> None:
    await scene.fill(2)
    other = Scene(database=scene.database, queue="other")
    await other.fill(3)
    await other.session()

    seen = await scene.operator.measure([QUEUE, "other"])

    assert {name: [(profile.kind, profile.count) for profile in item.ready] for name, item in seen.items()} == {
        QUEUE: [("send", 2)],
        "other": [("send", 3)],
    }
    assert [len(seen[name].sessions) for name in (QUEUE, "other")] == [0, 1]


async def test_policy_is_written_and_kinds_not_named_lose_their_limits(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_concurrent=3), KindPolicy(kind="resize", rate_starts=5, rate_period_seconds=60))
    await scene.policy(KindPolicy(kind="send", timeout_seconds=9), max_concurrent=40, held=True, stale_share=0.5)

    kinds = await scene.rows(
        "SELECT name, max_concurrent, rate_starts, rate_period_seconds, timeout_seconds FROM taskfleet.kinds ORDER BY name"
    )
    (queue,) = await scene.rows("SELECT max_concurrent, held, stale_share FROM taskfleet.queues")

    assert [tuple(row.values()) for row in kinds] == [("resize", None, None, None, None), ("send", None, None, None, 9)]
    assert tuple(queue.values()) == (40, True, 0.5)


async def test_policy_keeps_what_is_written_elsewhere(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"))
    await scene.operator.write_ceiling(QUEUE, slots=4, kind_slots={"send": 1}, epoch=None)
    await scene.rows("UPDATE taskfleet.queues SET paused = true")

    await scene.policy(KindPolicy(kind="send", max_concurrent=9))

    (row,) = await scene.rows(
        "SELECT queues.ceiling_slots AS queue, kinds.ceiling_slots AS kind, queues.paused"
        " FROM taskfleet.queues JOIN taskfleet.kinds ON queue_id = queues.id"
    )
    assert row == {"queue": 4, "kind": 1, "paused": True}


async def test_policy_that_contradicts_itself_is_refused(scene: Scene) -> None:
    with pytest.raises(InvalidPolicyError, match="kind 'send': rate_starts and rate_period_seconds belong together"):
        await scene.policy(KindPolicy(kind="send", rate_starts=5))

    assert await scene.count("queues") == 0


async def test_older_operator_is_refused_everywhere_once_another_leads(scene: Scene) -> None:
    old = await scene.operator.take_lead("first")
    await scene.operator.write_policy(QueuePolicy(queue=QUEUE), epoch=old)
    session = await scene.session()
    new = await scene.operator.take_lead("second")
    operator = scene.operator

    for write in (
        operator.write_policy(QueuePolicy(queue=QUEUE, held=True), epoch=old),
        operator.write_ceiling(QUEUE, slots=0, epoch=old),
        operator.mark_draining([session], draining=True, epoch=old),
        operator.save_decision(DECISION, epoch=old),
        operator.save_state(QUEUE, {}, epoch=old),
    ):
        with pytest.raises(StalePolicyError, match=f"epoch {old}, the database follows {new}"):
            await write

    held = await scene.value("SELECT held OR ceiling_slots IS NOT NULL FROM taskfleet.queues")
    assert (held, (await measured(scene)).sessions[0].draining, await scene.count("decisions")) == (False, False, 0)


async def test_two_that_take_the_lead_at_once_get_different_epochs(scene: Scene) -> None:
    epochs = await asyncio.gather(*(scene.operator.take_lead(f"operator {number}") for number in range(5)))

    assert sorted(epochs) == [1, 2, 3, 4, 5]


async def test_state_of_the_law_is_kept_for_whoever_takes_over(scene: Scene) -> None:
    await scene.policy()
    nothing = await scene.operator.load_state(QUEUE)
    await scene.operator.save_state(QUEUE, {"windows": [1, 2]}, epoch=None)
    await scene.operator.save_state(QUEUE, {"windows": [3]}, epoch=None)

    assert (nothing, await scene.operator.load_state(QUEUE)) == (None, {"windows": [3]})


async def test_decisions_are_kept_newest_first(scene: Scene) -> None:
    await scene.policy()
    for replicas in (1, 2, 3):
        await scene.operator.save_decision(replace(DECISION, replicas=replicas), epoch=None)

    decisions = await scene.reader.decisions(QUEUE, limit=2)

    assert [decision.replicas for decision in decisions] == [3, 2]
    assert replace(decisions[0], decided_at=None) == DECISION
