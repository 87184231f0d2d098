"""Pausing and resuming tasks, groups, kinds and queues; and groups against whoever is storing a task of theirs."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from taskfleet import AsyncProducer, ChangeOutcome, InvalidTaskError, NewTask, TaskState
from taskfleet.client import pausing
from taskfleet.maintenance import run_once
from taskfleet.words import Verdict
from tests.integration.queue.races import left_open, met
from tests.integration.queue.scene import QUEUE, Scene, failed, ids, released

pytestmark = pytest.mark.requirement("C4")

RESUME = "SELECT FROM taskfleet.resume_v1(%s)"


@pytest.fixture
async def producer(scene: Scene) -> AsyncIterator[AsyncProducer]:
    async with AsyncProducer(scene.database.url, queue=QUEUE) as made:
        yield made


async def states(scene: Scene, *task_ids: int) -> list[TaskState]:
    return [(await scene.reader.get_task(task_id)).state for task_id in task_ids]


async def mark_of(scene: Scene) -> str | None:
    found = await scene.value("SELECT state FROM taskfleet.paused_groups")
    return None if found is None else str(found)


async def test_a_paused_task_is_put_aside_until_it_is_resumed(scene: Scene, producer: AsyncProducer) -> None:
    paused, other = await scene.fill(2, age=90_000)
    session = await scene.session()

    changed = await producer.pause_task(paused)
    claim = await scene.claim(session)
    listed = await scene.reader.list_tasks(QUEUE, state=TaskState.PAUSED)
    stats = (await scene.reader.stats(QUEUE)).kinds[0]
    faults = await scene.faults()
    back = await producer.resume_task(paused)

    assert (changed.outcome, changed.state) == (ChangeOutcome.PAUSED, TaskState.PAUSED)
    assert (ids(claim.tasks), [task.task_id for task in listed]) == ([other], [paused])
    assert (stats.paused, stats.ready, stats.running) == (1, 0, 1)
    assert (back.outcome, back.state) == (ChangeOutcome.RESUMED, TaskState.READY)
    assert faults == await scene.faults() == []


async def test_the_clocks_of_a_resumed_task_begin_anew(scene: Scene, producer: AsyncProducer) -> None:
    late, early = await scene.fill(1, age=90_000) + await scene.fill(1, age=-3_600)
    for task_id in (late, early):
        await producer.pause_task(task_id)
        await producer.resume_task(task_id)

    rows = await scene.rows(
        "SELECT task_id, due_since = run_at AS anew, run_at > now() + interval '50 minutes' AS later FROM taskfleet.ready"
    )

    assert {row["task_id"]: (row["anew"], row["later"]) for row in rows} == {late: (True, False), early: (True, True)}
    assert await states(scene, late, early) == [TaskState.READY, TaskState.SCHEDULED]


async def test_what_runs_or_has_finished_cannot_be_paused_nor_what_waits_resumed(scene: Scene, producer: AsyncProducer) -> None:
    running, ended = await scene.claimed(2)
    await scene.worker.settle(failed(ended, retryable=False))
    (waiting,) = await scene.fill()

    answers = [
        await producer.pause_task(running.task_id),
        await producer.pause_task(ended.task_id),
        await producer.resume_task(waiting),
    ]

    assert [(answer.outcome, answer.state) for answer in answers] == [
        (ChangeOutcome.WRONG_STATE, TaskState.RUNNING),
        (ChangeOutcome.WRONG_STATE, TaskState.FAILED),
        (ChangeOutcome.WRONG_STATE, TaskState.READY),
    ]


async def test_a_paused_task_can_be_cancelled(scene: Scene, producer: AsyncProducer) -> None:
    (task_id,) = await scene.fill(key="k")
    await producer.pause_task(task_id)

    changed = await producer.cancel(task_id)

    assert changed.outcome is ChangeOutcome.CANCELLED
    assert (await scene.count("held"), await scene.count("idempotency_keys")) == (0, 0)
    assert await scene.faults() == []


async def test_two_who_resume_a_task_at_once_bring_it_back_once(scene: Scene, producer: AsyncProducer) -> None:
    (task_id,) = await scene.fill()
    await producer.pause_task(task_id)

    changed = await met(scene, producer.resume_task(task_id), RESUME, [task_id])

    assert (changed.outcome, changed.state) == (ChangeOutcome.WRONG_STATE, TaskState.READY)
    assert await scene.count("ready") == 1
    assert await scene.faults() == []


async def test_a_paused_group_is_put_aside_with_what_it_gets_later(scene: Scene, producer: AsyncProducer) -> None:
    before = await scene.fill(3, group="g")
    (other,) = await scene.fill(1, group="h")

    first, second = await producer.pause_group("g"), await producer.pause_group("g")
    one = await producer.enqueue("send", group="g")
    many = await producer.enqueue_many([NewTask(kind="send", group=group) for group in ("g", "h", "g", None)])
    aside = [*before, one.task_id, many[0].task_id, many[2].task_id]
    faults = await scene.faults()
    claim = await scene.claim(await scene.session())
    seen = await states(scene, *aside)
    resumed = await producer.resume_group("g"), await producer.resume_group("g")

    assert (first, second, resumed) == (True, False, (True, False))
    assert seen == [TaskState.PAUSED] * 6
    assert ids(claim.tasks) == [other, many[1].task_id, many[3].task_id]
    assert await states(scene, *aside) == [TaskState.READY] * 6
    assert await scene.count("paused_groups") == 0
    assert faults == await scene.faults() == []


@pytest.mark.parametrize("ending", ["failed", "given back", "retried by hand"])
async def test_what_would_wait_again_is_put_aside_with_its_paused_group(scene: Scene, producer: AsyncProducer, ending: str) -> None:
    (task,) = await scene.claimed(group="g")
    await producer.pause_group("g")

    if ending == "retried by hand":
        await scene.worker.settle(failed(task, retryable=False))
        changed = await producer.retry(task.task_id)
        assert (changed.outcome, changed.state) == (ChangeOutcome.RETRIED, TaskState.PAUSED)
    else:
        settled = await scene.worker.settle(failed(task) if ending == "failed" else released(task))
        assert settled.retried == (task.task_id,)

    assert await states(scene, task.task_id) == [TaskState.PAUSED]
    assert await scene.faults() == []


async def test_a_task_paused_itself_stays_when_its_group_is_resumed_and_the_other_way_round(scene: Scene, producer: AsyncProducer) -> None:
    by_hand, by_both = await scene.fill(2, group="g")
    await producer.pause_task(by_hand)
    await producer.pause_group("g")
    await producer.pause_task(by_both)
    held = await producer.resume_task(by_both)

    await producer.resume_group("g")

    assert (held.outcome, held.state) == (ChangeOutcome.HELD_BY_GROUP, TaskState.PAUSED)
    assert await states(scene, by_hand, by_both) == [TaskState.PAUSED, TaskState.READY]
    assert await scene.faults() == []


async def test_a_group_of_one_queue_does_not_pause_its_name_in_another(scene: Scene, producer: AsyncProducer) -> None:
    async with AsyncProducer(scene.database.url, queue="other") as elsewhere:
        other = await elsewhere.enqueue("send", group="g")
        await producer.pause_group("g")
        later = await elsewhere.enqueue("send", group="g")

    assert await states(scene, other.task_id, later.task_id) == [TaskState.READY] * 2
    assert await mark_of(scene) == "paused"


async def test_a_task_of_a_transaction_still_open_while_its_group_is_paused_does_not_slip_through(
    scene: Scene, producer: AsyncProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "MOVE_SECONDS", 0.2)
    await producer.enqueue("send", group="h")
    async with await psycopg.AsyncConnection.connect(scene.database.url) as slow:
        late = await producer.enqueue("send", group="g", connection=slow)
        await producer.pause_group("g")
        meanwhile = await mark_of(scene)
        await slow.commit()
    seen = await states(scene, late.task_id)
    claim = await scene.claim(await scene.session())

    await run_once(scene.database, ["carry_out_requests"])
    await run_once(scene.database, ["carry_out_requests"])

    assert (meanwhile, seen) == ("pausing", [TaskState.PAUSED])
    assert late.task_id not in ids(claim.tasks)
    assert (await mark_of(scene), await scene.count("held")) == ("paused", 1)
    assert await scene.faults() == []


async def test_an_enqueue_that_saw_the_pause_is_brought_back_by_a_resume_it_did_not_see(
    scene: Scene, producer: AsyncProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "MOVE_SECONDS", 0.2)
    await producer.pause_group("g")
    async with await psycopg.AsyncConnection.connect(scene.database.url) as slow:
        late = await producer.enqueue("send", group="g", connection=slow)
        await producer.resume_group("g")
        meanwhile = await mark_of(scene)
        await slow.commit()

    for _ in range(3):
        await run_once(scene.database, ["carry_out_requests"])

    assert (meanwhile, await mark_of(scene)) == ("resuming", None)
    assert await states(scene, late.task_id) == [TaskState.READY]
    assert await scene.faults() == []


async def test_a_group_goes_on_its_way_in_batches_though_somebody_is_at_its_tasks(
    scene: Scene, producer: AsyncProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "MOVE_ROWS", 7)
    monkeypatch.setattr(pausing, "MOVE_SECONDS", 0.2)
    tasks = await scene.fill(30, group="g")
    async with left_open(scene, "SELECT FROM taskfleet.ready WHERE task_id = %s FOR UPDATE", tasks[4]):
        await producer.pause_group("g")
        meanwhile = await mark_of(scene)
    for _ in range(3):
        await run_once(scene.database, ["carry_out_requests"])

    assert (meanwhile, await mark_of(scene)) == ("pausing", "paused")
    assert await scene.count("held") == 30
    assert await scene.faults() == []


async def test_in_a_transaction_of_the_callers_a_group_is_marked_and_moved_later(scene: Scene, producer: AsyncProducer) -> None:
    (task_id,) = await scene.fill(group="g")
    async with await psycopg.AsyncConnection.connect(scene.database.url) as own:
        await producer.pause_group("g", connection=own)
        before = await states(scene, task_id)
        await own.commit()
    after = await states(scene, task_id)

    for _ in range(2):
        await run_once(scene.database, ["carry_out_requests"])

    assert (before, after) == ([TaskState.READY], [TaskState.PAUSED])
    assert (await scene.count("held"), await mark_of(scene)) == (1, "paused")


async def test_ledgers_tell_the_truth_while_everybody_pauses_resumes_and_cancels(scene: Scene, producer: AsyncProducer) -> None:
    session = await scene.session()

    async def work() -> None:
        for _ in range(12):
            claim = await scene.claim(session, limit=5)
            await scene.worker.settle(failed(*claim.tasks[:2]))
            await scene.worker.settle(released(*claim.tasks[2:]))

    async def steer(group: str) -> None:
        for number in range(6):
            answers = await producer.enqueue_many([NewTask(kind="send", group=group) for _ in range(8)])
            await producer.pause_group(group)
            await producer.pause_task(answers[0].task_id)
            await asyncio.gather(producer.cancel(answers[1].task_id), producer.resume_group(group))
            await (producer.resume_task if number % 2 else producer.retry)(answers[0].task_id)

    await asyncio.gather(work(), work(), steer("g"), steer("h"), steer("g"))
    for _ in range(3):
        await run_once(scene.database, ["carry_out_requests", "fold_ledgers"])

    assert await scene.faults() == []
    assert await scene.count("paused_groups") == 0
    assert await scene.value("SELECT count(*) FROM taskfleet.held WHERE NOT by_hand") == 0


async def test_kinds_and_queues_are_paused_where_they_stand(scene: Scene, producer: AsyncProducer) -> None:
    await scene.fill(2)
    session = await scene.session()

    changes = [await producer.pause_kind("send"), await producer.pause_kind("send")]
    by_kind = await scene.claim(session)
    changes += [await producer.resume_kind("send"), await producer.resume_kind("send")]
    changes += [await producer.pause_queue(), await producer.pause_queue()]
    by_queue = await scene.claim(session)
    changes += [await producer.resume_queue(), await producer.resume_queue()]
    after = await scene.claim(session)

    assert changes == [True, False] * 4
    assert (by_kind.verdict, by_queue.verdict, len(after.tasks)) == (Verdict.PAUSED, Verdict.PAUSED, 2)


async def test_a_queue_and_a_kind_can_be_paused_before_their_first_task(scene: Scene, producer: AsyncProducer) -> None:
    assert await producer.pause_queue()
    assert await producer.pause_kind("send")
    with pytest.raises(InvalidTaskError, match="name of a kind"):
        await producer.pause_kind("")
    with pytest.raises(InvalidTaskError, match="group '' is no name of a group"):
        await producer.pause_group("")


@pytest.mark.requirement("A6")
@pytest.mark.parametrize("what", ["kind", "queue", "held"])
async def test_time_stands_still_for_expiry_while_paused(scene: Scene, producer: AsyncProducer, what: str) -> None:
    await scene.policy(waiting_expiry_seconds=3_600, held=what == "held")
    (old,) = await scene.fill(age=7_200)
    if what == "kind":
        await producer.pause_kind("send")
    elif what == "queue":
        await producer.pause_queue()
    await run_once(scene.database, ["expire_waiting"])
    while_paused = await states(scene, old)

    if what == "held":
        await scene.policy(waiting_expiry_seconds=3_600)
    else:
        await (producer.resume_kind("send") if what == "kind" else producer.resume_queue())
    await run_once(scene.database, ["expire_waiting"])
    resumed = await states(scene, old)
    await scene.rows("UPDATE taskfleet.queues SET resumed_at = now() - interval '2 hours'")
    await scene.rows("UPDATE taskfleet.kinds SET resumed_at = now() - interval '2 hours'")
    await run_once(scene.database, ["expire_waiting"])

    assert (while_paused, resumed, await states(scene, old)) == ([TaskState.READY], [TaskState.READY], [TaskState.FAILED])


async def test_an_attempt_that_fails_while_its_queue_is_paused_does_not_expire(scene: Scene, producer: AsyncProducer) -> None:
    await scene.policy(waiting_expiry_seconds=3_600)
    first, second = await scene.claimed(2, age=7_200)
    await producer.pause_queue()

    settled = [await scene.worker.settle(failed(first)), await scene.worker.settle(released(second))]

    assert [answer.retried for answer in settled] == [(first.task_id,), (second.task_id,)]
