"""A worker that lost its lease changes nothing any more."""

import asyncio

import pytest

from taskfleet.models import Completion, LeaseRef, Settled, Settlement
from taskfleet.words import TaskState
from tests.integration.queue.scene import Scene, completed, failed, ids, released, stale


@pytest.mark.requirement("B2")
@pytest.mark.parametrize("settlement", [completed, failed, released])
async def test_late_write_after_a_lost_lease_is_refused_and_reported(scene: Scene, settlement) -> None:  # type: ignore[no-untyped-def]
    (task,) = await scene.claimed()
    await scene.expire_session(scene.sessions[0])
    await scene.maintenance.recover_leases(due_seconds=0, limit=50)
    before = await scene.reader.get_task(task.task_id)

    settled = await scene.worker.settle(settlement(task))

    assert settled == stale(task)
    assert await scene.reader.get_task(task.task_id) == before


@pytest.mark.requirement("B2")
async def test_first_workers_token_is_worth_nothing_once_another_holds_the_task(scene: Scene) -> None:
    (first,) = await scene.claimed()
    await scene.worker.settle(released(first))
    (second,) = (await scene.claim(await scene.session())).tasks

    late = await scene.worker.settle(completed(first, result="late"))
    right = await scene.worker.settle(completed(second))

    assert first.task_id == second.task_id
    assert (late, right.finished) == (stale(first), (second.task_id,))


@pytest.mark.requirement("B2")
async def test_settling_twice_finishes_once(scene: Scene) -> None:
    tasks = await scene.claimed(3)

    first, second = await scene.worker.settle(completed(*tasks)), await scene.worker.settle(completed(*tasks))

    assert (sorted(first.finished), second) == (ids(tasks), stale(*tasks))
    assert await scene.count("succeeded_tasks") == 3
    assert await scene.faults() == []


@pytest.mark.requirement("B2")
@pytest.mark.parametrize("settlement", [completed, failed, released])
async def test_task_named_twice_in_one_call_is_settled_once(scene: Scene, settlement) -> None:  # type: ignore[no-untyped-def]
    first, second = await scene.claimed(2)

    settled = await scene.worker.settle(settlement(first, second, first, first))

    outcomes = "SELECT sum(count) FROM taskfleet.outcome_ledger WHERE outcome <> 'enqueued'"
    assert sorted((*settled.finished, *settled.retried)) == ids((first, second))
    assert await scene.value(outcomes) == 2
    assert await scene.faults() == []


@pytest.mark.requirement("B2")
async def test_settling_twice_at_once_finishes_once(scene: Scene) -> None:
    tasks = await scene.claimed(20)

    answers = await asyncio.gather(*(scene.worker.settle(settlement(*tasks)) for settlement in (completed, failed, released, completed)))

    assert sorted(task for answer in answers for task in (*answer.finished, *answer.retried)) == ids(tasks)
    assert await scene.faults() == []


async def test_token_of_another_task_does_not_fit(scene: Scene) -> None:
    (first,) = await scene.claimed()
    (second,) = await scene.claimed()

    settled = await scene.worker.settle(Settlement(completions=[Completion(lease=LeaseRef(task_id=first.task_id, token=second.token))]))

    assert settled == stale(first)


async def test_each_claim_has_a_token_of_its_own(scene: Scene) -> None:
    await scene.fill(4)
    session = await scene.session()

    first, second = await scene.claim(session, limit=2), await scene.claim(session, limit=2)

    assert len({task.token for task in first.tasks}) == 1
    assert first.tasks[0].token != second.tasks[0].token


async def test_one_batch_may_span_claims_and_outcomes(scene: Scene) -> None:
    await scene.fill(3)
    session = await scene.session()
    good, bad, late = [(await scene.claim(session, limit=1)).tasks[0] for _ in range(3)]

    settled = await scene.worker.settle(
        Settlement(
            completions=completed(good).completions,
            failures=failed(bad).failures,
            releases=released(late).releases,
        )
    )

    assert settled == Settled(finished=(good.task_id,), retried=(bad.task_id, late.task_id))


async def test_stale_leases_do_not_spoil_the_rest_of_a_batch(scene: Scene) -> None:
    good, lost = await scene.claimed(2)
    await scene.worker.settle(released(lost))

    settled = await scene.worker.settle(completed(good, lost))

    assert settled == Settled(finished=(good.task_id,), stale=(lost.task_id,))


async def test_recovery_and_completion_at_once_leave_one_outcome(scene: Scene) -> None:
    for _ in range(10):
        tasks = await scene.claimed(10)
        await scene.expire_session(scene.sessions[-1])

        settled, _ = await asyncio.gather(scene.worker.settle(completed(*tasks)), scene.maintenance.recover_leases(due_seconds=0, limit=50))

        states = [(await scene.reader.get_task(task)).state for task in ids(tasks)]
        assert states.count(TaskState.SUCCEEDED) == len(settled.finished)
        assert await scene.faults() == []


async def test_nothing_to_settle_asks_the_database_nothing(scene: Scene) -> None:
    assert await scene.worker.settle(Settlement()) == Settled()
