"""What follows from an outcome: done, tried again, given up, given back."""

from collections import Counter
from datetime import timedelta

import psycopg
import pytest

from taskfleet.models import Completion, Failure, KindPolicy, Settlement
from taskfleet.words import DeadReason, ErrorCode, TaskState
from tests.integration.queue.scene import Scene, completed, failed, ids, released

NEVER_AGAIN = [
    ErrorCode.PAYLOAD_MISSING,
    ErrorCode.PAYLOAD_INVALID,
    ErrorCode.PAYLOAD_UNSUPPORTED,
    ErrorCode.PRECONDITION_FAILED,
    ErrorCode.ENTITY_NOT_FOUND,
]


@pytest.mark.requirement("C2")
async def test_success_leaves_a_slim_record(scene: Scene) -> None:
    (task,) = await scene.claimed()

    await scene.worker.settle(completed(task, result={"size": 3}))

    found = await scene.reader.get_task(task.task_id)
    assert (found.state, found.payload, found.result, found.attempt_count) == (TaskState.SUCCEEDED, None, None, 1)
    assert await scene.count("tasks") == 0


async def test_result_is_kept_where_it_is_wanted(scene: Scene) -> None:
    (task,) = await scene.claimed(wants_result=True)

    await scene.worker.settle(completed(task, result={"size": 3}))

    assert (await scene.reader.get_task(task.task_id)).result == {"size": 3}


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({1, 2}, id="a set"),
        pytest.param(float("nan"), id="a number that JSON does not have"),
        pytest.param("nul \0 inside", id="a text that PostgreSQL cannot store"),
        pytest.param("half \ud83d a pair", id="half a surrogate pair"),
    ],
)
async def test_result_that_cannot_be_stored_spoils_no_batch(scene: Scene, result: object) -> None:
    tasks = await scene.claimed(2, wants_result=True)

    settled = await scene.worker.settle(
        Settlement(completions=[Completion(lease=tasks[0].lease, result=result), Completion(lease=tasks[1].lease, result=7)])
    )

    assert sorted(settled.finished) == ids(tasks)
    assert "unserialisable" in str((await scene.reader.get_task(tasks[0].task_id)).result)
    assert (await scene.reader.get_task(tasks[1].task_id)).result == 7


@pytest.mark.requirement("B6", "B7")
async def test_execution_failure_is_tried_again_after_a_backoff(scene: Scene) -> None:
    (task,) = await scene.claimed()

    settled = await scene.worker.settle(failed(task))

    found = await scene.reader.get_task(task.task_id)
    assert settled.retried == (task.task_id,)
    assert (found.state, found.attempt_count, found.max_attempts) == (TaskState.SCHEDULED, 1, 3)
    assert found.last_attempt_at is not None
    assert found.run_at is not None
    assert timedelta(seconds=2) <= found.run_at - found.last_attempt_at <= timedelta(seconds=4 + 5)
    assert [(attempt.attempt, attempt.code, attempt.message, attempt.worker) for attempt in found.attempts] == [
        (1, "TASK_EXECUTION_FAILED", "it broke", "worker-1")
    ]


@pytest.mark.requirement("B6")
@pytest.mark.parametrize("code", NEVER_AGAIN)
async def test_permanent_failure_is_a_dead_letter_at_once(scene: Scene, code: ErrorCode) -> None:
    (task,) = await scene.claimed(group="shop", headers={"traceparent": "00-4bf92f3577b34da6-00f067aa0ba902b7-01"})

    settled = await scene.worker.settle(failed(task, code=code, retryable=False))

    found = await scene.reader.get_task(task.task_id)
    assert settled.finished == (task.task_id,)
    assert (found.state, found.dead_reason, found.code) == (TaskState.FAILED, DeadReason.NON_RETRYABLE, code)
    assert (found.attempt_count, found.message, found.stack) == (1, "it broke", "line 1\nline 2")
    assert (found.payload, found.trace_id, found.group) == ({"number": 1}, "4bf92f3577b34da6", "shop")


@pytest.mark.requirement("B6", "B8", "C1")
async def test_attempts_run_out_and_every_one_is_remembered(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_attempts=3, min_backoff_seconds=0, max_backoff_seconds=0))
    (task_id,) = await scene.fill()
    session = await scene.session()
    for _ in range(3):
        (task,) = (await scene.claim(session)).tasks
        await scene.worker.settle(failed(task))

    found = await scene.reader.get_task(task_id)

    assert (found.state, found.dead_reason, found.attempt_count) == (TaskState.FAILED, DeadReason.MAX_ATTEMPTS_EXCEEDED, 3)
    assert [attempt.attempt for attempt in found.attempts] == [1, 2, 3]
    assert await scene.faults() == []


_BREAK = (
    "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room'; END $$",
    "CREATE TRIGGER breaks BEFORE INSERT ON taskfleet.{relation} FOR EACH ROW EXECUTE FUNCTION broken()",
)


@pytest.mark.requirement("C1")
@pytest.mark.parametrize("relation", ["dead_letters", "attempts", "outcome_ledger", "state_ledger"])
async def test_moving_to_failed_happens_whole_or_not_at_all(scene: Scene, relation: str) -> None:
    await scene.policy(max_length=None)
    (task,) = await scene.claimed(key="order-")
    for statement in _BREAK:
        await scene.rows(statement.format(relation=relation))
    with pytest.raises(psycopg.errors.RaiseException, match="no room"):
        await scene.worker.settle(failed(task, retryable=False))
    while_broken = (await scene.reader.get_task(task.task_id)).state, await scene.count("dead_letters"), await scene.count("attempts")
    await scene.rows(f"DROP TRIGGER breaks ON taskfleet.{relation}")
    settled = await scene.worker.settle(failed(task, retryable=False))

    found = await scene.reader.get_task(task.task_id)
    assert while_broken == (TaskState.RUNNING, 0, 0)
    assert settled.finished == (task.task_id,)
    assert (found.state, found.message, found.stack, found.code) == (
        TaskState.FAILED,
        "it broke",
        "line 1\nline 2",
        "TASK_EXECUTION_FAILED",
    )
    assert found.finished_at is not None
    assert await scene.faults() == []


async def test_own_max_attempts_of_a_task_win_over_its_kind(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_attempts=5))
    (task,) = await scene.claimed(max_attempts=1)

    await scene.worker.settle(failed(task))

    assert (await scene.reader.get_task(task.task_id)).dead_reason is DeadReason.MAX_ATTEMPTS_EXCEEDED


@pytest.mark.requirement("B6", "B16")
async def test_backoff_is_exponential_with_full_jitter_between_its_bounds(scene: Scene) -> None:
    rows = await scene.rows(
        "SELECT attempt, min(seconds) AS least, max(seconds) AS most FROM ("
        "  SELECT attempt, taskfleet.backoff_seconds(attempt, 2, 60, chance / 1000.0) AS seconds"
        "  FROM generate_series(1, 100) AS attempt, generate_series(0, 1000) AS chance"
        ") AS tried GROUP BY attempt ORDER BY attempt"
    )

    assert {row["least"] for row in rows} == {2}
    assert [row["most"] for row in rows[:6]] == [4, 8, 16, 32, 60, 60]
    assert rows[-1]["most"] == 60


async def test_tasks_that_fail_together_come_back_spread_over_the_whole_backoff(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_attempts=9, min_backoff_seconds=100, max_backoff_seconds=200))
    tasks = await scene.claimed(200)
    await scene.worker.settle(failed(*tasks))
    rows = await scene.rows("SELECT extract(epoch FROM run_at - min(last_attempt_at) OVER ())::float8 AS seconds FROM taskfleet.ready")
    tenths = Counter(int((row["seconds"] - 100) // 10) for row in rows)

    assert set(range(10)) <= set(tenths)
    assert max(tenths.values()) < 50


@pytest.mark.requirement("A5")
async def test_missing_entity_is_remembered_for_the_whole_fleet(scene: Scene) -> None:
    (task,) = await scene.claimed(entity="episode-7")
    await scene.worker.settle(failed(task, code=ErrorCode.ENTITY_NOT_FOUND, retryable=False, missing_entity="episode-7"))
    await scene.fill(entity="episode-7")

    (later,) = (await scene.claim(await scene.session())).tasks

    remembered = await scene.rows("SELECT entity, until - now() AS longer FROM taskfleet.missing_entities")
    assert later.entity_missing
    assert [row["entity"] for row in remembered] == ["episode-7"]
    assert timedelta(seconds=880) < remembered[0]["longer"] <= timedelta(seconds=900)


async def test_one_batch_may_find_the_same_entity_missing_many_times(scene: Scene) -> None:
    tasks = await scene.claimed(10, entity="episode-7")

    await scene.worker.settle(failed(*tasks, code=ErrorCode.ENTITY_NOT_FOUND, retryable=False, missing_entity="episode-7"))

    assert await scene.count("missing_entities") == 1


@pytest.mark.requirement("B6")
async def test_release_uses_up_no_attempt(scene: Scene) -> None:
    (task,) = await scene.claimed()

    settled = await scene.worker.settle(released(task, delay_seconds=30))

    found = await scene.reader.get_task(task.task_id)
    assert settled.retried == (task.task_id,)
    assert (found.state, found.attempt_count, found.attempts) == (TaskState.SCHEDULED, 0, ())
    assert await scene.outcomes() == {("enqueued", ""): 1, ("released", "TASK_OVERLOADED"): 1}


async def test_release_without_delay_goes_back_to_its_old_place(scene: Scene) -> None:
    first, second = await scene.fill(2, age=60)
    (task,) = (await scene.claim(await scene.session(), limit=1)).tasks
    await scene.worker.settle(released(task, code=ErrorCode.SHUTDOWN))

    claim = await scene.claim(await scene.session())

    assert ids(claim.tasks) == [first, second]


@pytest.mark.requirement("B6")
async def test_release_past_expiry_ends_the_task(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"), waiting_expiry_seconds=100)
    (task,) = await scene.claimed(age=80)

    settled = await scene.worker.settle(released(task, delay_seconds=30))

    found = await scene.reader.get_task(task.task_id)
    assert settled.finished == (task.task_id,)
    assert (found.state, found.dead_reason, found.code) == (TaskState.FAILED, DeadReason.EXPIRED, "TASK_EXPIRED")
    assert found.message is not None
    assert "TASK_OVERLOADED" in found.message
    assert await scene.faults() == []


async def test_clock_of_expiry_runs_on_through_retries(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_attempts=50, min_backoff_seconds=50, max_backoff_seconds=50), waiting_expiry_seconds=100)
    (task,) = await scene.claimed(age=70)

    await scene.worker.settle(failed(task))

    found = await scene.reader.get_task(task.task_id)
    assert (found.dead_reason, found.code) == (DeadReason.EXPIRED, "TASK_EXPIRED")
    assert [attempt.code for attempt in found.attempts] == ["TASK_EXECUTION_FAILED"]


async def test_idempotency_key_is_free_again_when_its_task_ends(scene: Scene) -> None:
    good = await scene.claimed(key="a")
    bad = await scene.claimed(key="b")
    waiting = await scene.claimed(key="c")

    await scene.worker.settle(completed(*good))
    await scene.worker.settle(failed(*bad, retryable=False))
    await scene.worker.settle(failed(*waiting))

    assert [row["key"] for row in await scene.rows("SELECT key FROM taskfleet.idempotency_keys")] == ["c1"]


async def test_text_that_cannot_be_stored_is_made_storable(scene: Scene) -> None:
    (task,) = await scene.claimed()
    broken = Failure(
        lease=task.lease, code=ErrorCode.EXECUTION_FAILED, message="nul \0 and half \ud83d a pair", stack="x" * 60_000 + "the end"
    )

    await scene.worker.settle(Settlement(failures=[broken]))

    found = await scene.reader.get_task(task.task_id)
    assert found.message == "nul \N{REPLACEMENT CHARACTER} and half ? a pair"
    assert found.stack is not None
    assert (len(found.stack), found.stack[-7:]) == (50_000, "the end")


async def test_outcomes_are_counted_with_their_busy_time(scene: Scene) -> None:
    good, bad, dead = await scene.claimed(3)
    await scene.rows("UPDATE taskfleet.leases SET started_at = started_at - interval '10 seconds'")
    await scene.worker.settle(completed(good))
    await scene.worker.settle(failed(bad))
    await scene.worker.settle(failed(dead, code=ErrorCode.PAYLOAD_INVALID, retryable=False))

    measured = (await scene.operator.measure([scene.queue]))[scene.queue]

    ended = {(item.outcome, item.code): item for item in measured.outcomes if item.outcome != "enqueued"}
    assert {key: item.count for key, item in ended.items()} == {
        ("succeeded", ""): 1,
        ("retried", "TASK_EXECUTION_FAILED"): 1,
        ("failed", "TASK_PAYLOAD_INVALID"): 1,
    }
    assert [item.busy_seconds for item in ended.values()] == [pytest.approx(10, abs=5)] * 3


async def test_waiter_for_a_result_is_told(scene: Scene) -> None:
    (task,) = await scene.claimed(wants_result=True)

    async with await scene.database.connect() as listening:
        await listening.execute("LISTEN taskfleet_results")
        await scene.worker.settle(completed(task))
        told = [notification.payload async for notification in listening.notifies(timeout=5, stop_after=1)]

    assert told == [str(task.task_id)]
