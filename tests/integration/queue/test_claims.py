"""What a claim brings, and what it says when it brings nothing."""

import psycopg
import pytest

from taskfleet.errors import SchemaMissingError
from taskfleet.models import KindPolicy, Mark
from taskfleet.words import TaskState, Verdict
from tests.integration.queue.scene import Scene, completed, ids


@pytest.mark.requirement("A8")
async def test_claim_takes_a_batch_in_one_transaction_oldest_first(scene: Scene) -> None:
    tasks = await scene.fill(5)

    claim = await scene.claim(await scene.session(), limit=3)

    assert (claim.verdict, ids(claim.tasks)) == (Verdict.CLAIMED, tasks[:3])


async def test_claimed_task_carries_all_that_a_handler_needs(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", timeout_seconds=30, max_attempts=7))
    (task_id,) = await scene.fill(age=12, priority=3, entity="episode-7", group="shop", headers={"traceparent": "00-ab-cd-01"})

    (task,) = (await scene.claim(await scene.session())).tasks

    assert (task.task_id, task.kind, task.payload, task.headers) == (task_id, "send", {"number": 1}, {"traceparent": "00-ab-cd-01"})
    assert (task.group, task.entity, task.priority, task.attempt, task.max_attempts) == ("shop", "episode-7", 3, 1, 7)
    assert (task.timeout_seconds, task.entity_missing) == (30, False)
    assert task.waited_seconds == pytest.approx(12, abs=5)


async def test_lower_priority_number_goes_first(scene: Scene) -> None:
    (late,) = await scene.fill(priority=9, age=30)
    (soon,) = await scene.fill(priority=0, age=1)

    claim = await scene.claim(await scene.session())

    assert ids(claim.tasks) == [soon, late]


async def test_only_kinds_with_a_handler_are_claimed(scene: Scene) -> None:
    await scene.fill(kind="resize")
    (task,) = await scene.fill(kind="send")

    claim = await scene.claim(await scene.session("send"), "send")

    assert ids(claim.tasks) == [task]


async def test_task_is_not_claimed_before_its_time(scene: Scene) -> None:
    await scene.fill(age=-60)

    claim = await scene.claim(await scene.session())

    assert (claim.verdict, claim.tasks) == (Verdict.IDLE, ())


async def test_two_claims_never_get_the_same_task(scene: Scene) -> None:
    tasks = await scene.fill(10)
    session = await scene.session()

    first, second = await scene.claim(session, limit=6), await scene.claim(session, limit=6)

    assert sorted(ids(first.tasks) + ids(second.tasks)) == tasks


async def test_claim_passes_over_what_another_transaction_is_claiming(
    scene: Scene, connection: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    tasks = await scene.fill(4)
    session = await scene.session()

    with connection.transaction():
        connection.execute("SELECT FROM taskfleet.claim_v1(%s, '{send}', 2)", [session])
        claim = await scene.claim(session, limit=4)

    assert ids(claim.tasks) == tasks[2:]


async def test_marks_from_long_ago_hide_nothing(scene: Scene) -> None:
    old = await scene.fill(2, age=500)
    marks = await scene.worker.low_water_marks(scene.queue, kinds=["send"])
    young = await scene.fill(2, age=3)
    later = [Mark(kind=mark.kind, priority=mark.priority, run_at=(await scene.reader.get_task(young[1])).run_at) for mark in marks]  # type: ignore[arg-type]

    claim = await scene.claim(await scene.session(), limit=10, marks=later)

    assert sorted(ids(claim.tasks)) == [*old, *young]


async def test_marks_say_where_the_oldest_task_of_each_kind_and_priority_waits(scene: Scene) -> None:
    await scene.fill(3, age=100, priority=2)
    await scene.fill(3, age=50, priority=7, kind="resize")
    await scene.fill(3, age=-500, priority=9)

    marks = await scene.worker.low_water_marks(scene.queue, kinds=["send", "resize"])

    oldest = {
        (task["name"], task["priority"]): task["oldest"]
        for task in await scene.rows(
            "SELECT name, priority, min(run_at) AS oldest FROM taskfleet.ready JOIN taskfleet.kinds ON kinds.id = kind_id "
            "WHERE run_at <= now() GROUP BY 1, 2"
        )
    }
    assert {(mark.kind, mark.priority) for mark in marks} == oldest.keys()
    assert all(mark.run_at <= oldest[mark.kind, mark.priority] for mark in marks)


async def test_empty_queue_is_idle(scene: Scene) -> None:
    claim = await scene.claim(await scene.session())

    assert (claim.verdict, claim.limited) == (Verdict.IDLE, False)


async def test_unknown_session_is_told_to_open_a_new_one(scene: Scene) -> None:
    await scene.fill()
    session = await scene.session()
    await scene.expire_session(session)

    claim = await scene.claim(session)

    assert (claim.verdict, claim.tasks) == (Verdict.SESSION_LOST, ())


async def test_draining_session_gets_nothing(scene: Scene) -> None:
    await scene.fill()
    session = await scene.session()
    await scene.operator.mark_draining([session], draining=True, epoch=None)

    claim = await scene.claim(session)

    assert (claim.verdict, claim.tasks) == (Verdict.DRAINING, ())


@pytest.mark.parametrize("flag", ["held", "paused"])
@pytest.mark.requirement("C4")
async def test_held_or_paused_queue_gives_nothing(scene: Scene, flag: str) -> None:
    await scene.fill()
    session = await scene.session()
    await scene.rows(f"UPDATE taskfleet.queues SET {flag} = true")

    claim = await scene.claim(session)

    assert (claim.verdict, claim.tasks) == (Verdict.PAUSED, ())


async def test_paused_kind_does_not_hold_up_another(scene: Scene) -> None:
    await scene.fill(3, kind="resize", age=100)
    (task,) = await scene.fill(kind="send")
    session = await scene.session("send", "resize")
    await scene.rows("UPDATE taskfleet.kinds SET paused = true WHERE name = 'resize'")

    first, second = await scene.claim(session, "send", "resize"), await scene.claim(session, "send", "resize")

    assert ids(first.tasks) == [task]
    assert second.verdict is Verdict.PAUSED


async def test_claim_refuses_to_count_in_an_old_snapshot(scene: Scene, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    session = await scene.session()

    with pytest.raises(psycopg.errors.InvalidTransactionState, match="READ COMMITTED"), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT FROM taskfleet.claim_v1(%s, '{send}', 1)", [session])


async def test_missing_entity_is_known_to_every_claim(scene: Scene) -> None:
    await scene.fill(entity="gone")
    await scene.fill(entity="there")
    session = await scene.session()
    await scene.rows("INSERT INTO taskfleet.missing_entities SELECT id, 'gone', now() + interval '1 minute' FROM taskfleet.queues")

    claim = await scene.claim(session)

    assert {task.entity: task.entity_missing for task in claim.tasks} == {"gone": True, "there": False}


async def test_settling_and_claiming_ride_together(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_concurrent=2))
    tasks = await scene.fill(4)
    session = await scene.session()
    first = await scene.claim(session, limit=4)

    settled, second = await scene.worker.settle_and_claim(completed(*first.tasks), session, kinds=["send"], limit=4)

    assert settled.finished == tuple(tasks[:2])
    assert ids(second.tasks) == tasks[2:]
    assert second.limited


async def test_settling_with_a_claim_that_fails_settles_nothing(scene: Scene) -> None:
    (task,) = await scene.claimed()
    await scene.rows("ALTER FUNCTION taskfleet.claim_v1 RENAME TO claim_gone")

    with pytest.raises(SchemaMissingError):
        await scene.worker.settle_and_claim(completed(task), scene.sessions[0], kinds=["send"], limit=1)

    assert (await scene.reader.get_task(task.task_id)).state is TaskState.RUNNING


async def test_kind_of_any_name_can_be_claimed(scene: Scene) -> None:
    name = 'quote " back \\ slash, {brace} NULL \u00e4'
    (task_id,) = await scene.fill(kind=name)
    marks = await scene.worker.low_water_marks(scene.queue, kinds=[name])

    claim = await scene.claim(await scene.session(name), name, marks=marks)

    assert [(task.task_id, task.kind) for task in claim.tasks] == [(task_id, name)]
