"""The connection is cut between a commit and its answer: nothing is lost, nothing is done twice, nothing is acknowledged that was not."""

import pytest

from taskfleet import AsyncProducer, DatabaseUnreachableError
from taskfleet.store import Database, WorkerStore
from tests.integration.queue.scene import Scene, completed, failed
from tests.support.relays import relay_to


@pytest.mark.requirement("E6")
async def test_an_enqueue_whose_answer_was_lost_is_unknown_and_safe_to_make_again(scene: Scene, database_url: str) -> None:
    async with relay_to(database_url) as relay, AsyncProducer(relay.url(database_url), queue=scene.queue) as producer:
        await producer.enqueue("send", idempotency_key="before")
        relay.lose_next_answer()
        with pytest.raises(DatabaseUnreachableError, match="whether the task was stored is unknown"):
            await producer.enqueue("send", idempotency_key="order-8")
        again = await producer.enqueue("send", idempotency_key="order-8")

    assert again.duplicate
    assert (await scene.count("ready"), await scene.faults()) == (2, [])


@pytest.mark.requirement("E6", "B2")
@pytest.mark.parametrize("outcome", [completed, failed])
async def test_a_settlement_whose_answer_was_lost_is_made_again_and_counts_once(scene: Scene, database_url: str, outcome: type) -> None:
    task, *_ = await scene.claimed()
    async with relay_to(database_url) as relay, Database(relay.url(database_url), connect_tries=3) as database:
        relay.lose_next_answer()
        settled = await WorkerStore(database).settle(outcome(task))

    assert settled.stale == (task.task_id,)
    assert await scene.count("leases") == 0
    assert await scene.count("succeeded_tasks") + await scene.count("attempts") == 1
    assert await scene.faults() == []


@pytest.mark.requirement("E6")
async def test_a_claim_whose_answer_was_lost_goes_back_after_two_heartbeats(scene: Scene, database_url: str) -> None:
    await scene.fill(3)
    session = await scene.session()
    async with relay_to(database_url) as relay, Database(relay.url(database_url), connect_tries=3) as database:
        # The statement is prepared by then: what is lost next is the answer to its execution.
        await WorkerStore(database).claim(session, kinds=["none"], limit=3)
        relay.lose_next_answer()
        second = await WorkerStore(database).claim(session, kinds=["send"], limit=3)
        held = await scene.count("leases")
        beats = [await scene.worker.heartbeat(session, held=[task.lease for task in second.tasks]) for _ in range(2)]

    assert (list(second.tasks), held) == ([], 3)
    assert sum(beat.released for beat in beats) == 3
    assert (await scene.count("ready"), await scene.faults()) == (3, [])
