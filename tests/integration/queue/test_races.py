"""Two transactions at once, one of them held open: each race that lost or doubled tasks in other queues.

The held one is a plain connection in the middle of a transaction, as a worker is that was frozen there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import pytest

from taskfleet import AsyncProducer
from taskfleet.models import ClaimedTask, KindPolicy, Settlement
from taskfleet.store import Database, Limits
from taskfleet.store.rows.claims import claim_parameters
from taskfleet.store.rows.settlements import statements_of
from taskfleet.words import TaskState, Verdict
from tests.integration.queue.scene import Scene, completed, failed, ids, released, stale
from tests.support.waiting import eventually

Connection = psycopg.Connection[Any]
Answer = TypeVar("Answer")
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def held(database_url: str) -> Iterator[Connection]:
    """A connection that is in a transaction until its test commits; the server may have closed it by then."""
    connection = psycopg.connect(database_url)
    yield connection
    connection.close()


def settle_in(connection: Connection, scene: Scene, settlement: Settlement) -> None:
    """Write outcomes in a transaction that stays open."""
    for statement in statements_of(settlement):
        connection.execute(scene.database.query(statement.query), statement.parameters)


def claim_in(connection: Connection, scene: Scene, session: UUID, limit: int = 1) -> list[int]:
    """Claim in a transaction that stays open; returns the tasks."""
    parameters = claim_parameters(session, kinds=["send"], limit=limit, marks=(), stale_slots=0)
    rows = connection.execute(scene.database.query("claim_tasks"), parameters).fetchall()
    return [row[2] for row in rows if row[2] is not None]


def run_in(connection: Connection, scene: Scene, query: str, parameters: Mapping[str, object]) -> Sequence[Any]:
    """A query of the store in a transaction that stays open."""
    return connection.execute(scene.database.query(query), parameters).fetchall()


async def while_blocked(scene: Scene, work: Awaitable[Answer], release: Callable[[], None]) -> Answer:
    """The answer of work that must wait for the held transaction: it is ended once the server says that somebody waits."""
    task = asyncio.ensure_future(work)
    await eventually(lambda: scene.value(BLOCKED))
    assert not task.done()
    release()
    return await task


async def lost(scene: Scene) -> tuple[ClaimedTask, ...]:
    """Tasks of a worker that was not heard of in time."""
    tasks = await scene.claimed(3)
    await scene.expire_session(scene.sessions[-1])
    return tasks


@pytest.mark.requirement("B2", "B4")
async def test_rescue_passes_over_a_completion_that_is_under_way(scene: Scene, held: Connection) -> None:
    tasks = await lost(scene)
    settle_in(held, scene, completed(*tasks))

    rescued = await scene.maintenance.recover_leases(due_seconds=0, limit=50)
    held.commit()
    again = await scene.maintenance.recover_leases(due_seconds=0, limit=50)

    assert (rescued.handled, again.handled) == (0, 0)
    assert {(await scene.reader.get_task(task)).state for task in ids(tasks)} == {TaskState.SUCCEEDED}
    assert await scene.faults() == []


@pytest.mark.requirement("B2", "B4")
@pytest.mark.parametrize("settlement", [completed, failed, released])
async def test_a_late_word_waits_for_the_rescue_and_then_counts_for_nothing(
    scene: Scene,
    held: Connection,
    settlement: Callable[..., Settlement],
) -> None:
    tasks = await lost(scene)
    run_in(held, scene, "recover_leases", {"limit": 50})

    settled = await while_blocked(scene, scene.worker.settle(settlement(*tasks)), held.commit)

    assert settled == stale(*tasks)
    assert await scene.count("ready") == 3
    assert await scene.faults() == []


@pytest.mark.requirement("B2")
async def test_rescue_that_is_rolled_back_leaves_the_lease_to_its_worker(scene: Scene, held: Connection) -> None:
    tasks = await lost(scene)
    run_in(held, scene, "recover_leases", {"limit": 50})

    settled = await while_blocked(scene, scene.worker.settle(completed(*tasks)), held.rollback)

    assert sorted(settled.finished) == ids(tasks)
    assert await scene.faults() == []


@pytest.mark.requirement("B2")
async def test_second_release_of_the_same_lease_waits_and_changes_nothing(scene: Scene, held: Connection) -> None:
    tasks = await scene.claimed(3)
    settle_in(held, scene, released(*tasks))

    settled = await while_blocked(scene, scene.worker.settle(released(*tasks)), held.commit)

    assert settled == stale(*tasks)
    assert await scene.count("ready") == 3
    assert await scene.faults() == []


async def test_time_out_passes_over_a_completion_that_is_under_way(scene: Scene, held: Connection) -> None:
    tasks = await scene.claimed(3)
    await scene.rows("UPDATE taskfleet.leases SET deadline_at = now() - interval '1 second'")
    settle_in(held, scene, completed(*tasks))

    timed_out = await scene.maintenance.time_out_running(due_seconds=0, limit=50)
    held.commit()

    assert timed_out.handled == 0
    assert await scene.count("succeeded_tasks") == 3
    assert await scene.faults() == []


@pytest.mark.requirement("D1")
async def test_expiry_passes_over_tasks_that_are_being_claimed(scene: Scene, held: Connection) -> None:
    await scene.policy(KindPolicy(kind="send"), waiting_expiry_seconds=3_600)
    waiting = await scene.fill(2, age=7_200)
    claimed = claim_in(held, scene, await scene.session())

    expired = await scene.maintenance.expire_waiting(due_seconds=0, limit=50)
    held.commit()

    assert (claimed, expired.handled) == (waiting[:1], 1)
    assert (await scene.reader.get_task(claimed[0])).state is TaskState.RUNNING
    assert await scene.faults() == []


@pytest.mark.requirement("A8")
async def test_two_claims_at_once_pass_over_each_others_rows(scene: Scene, held: Connection) -> None:
    waiting = await scene.fill(4)
    first = claim_in(held, scene, await scene.session(), limit=2)

    second = await scene.claim(await scene.session(), limit=4)
    held.commit()

    assert (first, ids(second.tasks)) == (waiting[:2], waiting[2:])
    assert await scene.faults() == []


async def test_claim_that_is_rolled_back_leaves_tasks_and_ledger_as_they_were(scene: Scene, held: Connection) -> None:
    waiting = await scene.fill(3)
    claim_in(held, scene, await scene.session(), limit=3)
    held.rollback()

    claim = await scene.claim(await scene.session())

    assert ids(claim.tasks) == waiting
    assert await scene.faults() == []


async def test_claim_of_a_session_that_ends_meanwhile_is_taken_back(scene: Scene, held: Connection) -> None:
    (task,) = await scene.fill()
    session = await scene.session()
    claim_in(held, scene, session)
    await scene.expire_session(session)
    before = await scene.maintenance.recover_leases(due_seconds=0, limit=50)
    held.commit()

    after = await scene.maintenance.recover_leases(due_seconds=0, limit=50)

    assert (before.handled, after.handled) == (0, 1)
    assert (await scene.reader.get_task(task)).attempt_count == 1


@pytest.mark.requirement("B5")
async def test_claim_whose_reply_was_lost_holds_a_quota_for_two_heartbeats_only(scene: Scene, held: Connection) -> None:
    await scene.policy(KindPolicy(kind="send", max_concurrent=1))
    task, _ = await scene.fill(2)
    session = await scene.session()
    claim_in(held, scene, session)
    held.commit()
    meanwhile = await scene.claim(session)

    beats = [await scene.worker.heartbeat(session, held=[]) for _ in range(2)]
    claim = await scene.claim(session)

    assert meanwhile.verdict is Verdict.QUOTA
    assert [beat.released for beat in beats] == [0, 1]
    assert [(found.task_id, found.attempt) for found in claim.tasks] == [(task, 1)]


@pytest.mark.requirement("A4")
async def test_task_committed_below_the_marks_is_found_once_they_are_exhausted(scene: Scene, database_url: str) -> None:
    await scene.fill(3, age=60)
    session = await scene.session()
    async with AsyncProducer(database_url, queue=scene.queue) as producer, await psycopg.AsyncConnection.connect(database_url) as slow:
        late = await producer.enqueue("send", connection=slow)
        marks = await scene.worker.low_water_marks(scene.queue, kinds=["send"])
        first = await scene.claim(session, marks=marks)
        await scene.fill(2, age=0)
        await slow.commit()

        second = await scene.claim(session, marks=marks)

    assert late.task_id not in ids(first.tasks)
    assert late.task_id in ids(second.tasks)


@pytest.mark.requirement("B4")
async def test_operator_frozen_while_it_writes_does_not_keep_another_from_the_lead(scene: Scene) -> None:
    epoch = await scene.operator.take_lead("first")
    async with (
        Database(scene.database.url, connect_tries=1, limits=Limits(silent_seconds=0.2)) as database,
        database.connection() as frozen,
    ):
        with suppress(psycopg.errors.IdleInTransactionSessionTimeout, psycopg.OperationalError):
            async with database.transaction(frozen):
                await frozen.execute(database.query("current_epoch"))

                assert await scene.operator.take_lead("second") == epoch + 1
