"""What a worker says about itself, and what becomes of what it held."""

import asyncio
from functools import partial
from uuid import uuid4

import psycopg
import pytest

from taskfleet.models import Backoff, HeartbeatAnswer, KindPolicy, LeaseRef, NewSession
from taskfleet.words import TaskState, Verdict
from tests.integration.queue.plans import watched
from tests.integration.queue.races import held_up_where_it_compares_ages, left_open, somebody_waits
from tests.integration.queue.scene import Scene, completed, ids, released
from tests.support.waiting import eventually


@pytest.mark.requirement("B4")
async def test_heartbeat_keeps_a_session_alive(scene: Scene) -> None:
    session = await scene.session(lease_seconds=60)
    await scene.rows("UPDATE taskfleet.sessions SET expires_at = now() + interval '1 second'")

    answer = await scene.worker.heartbeat(session, held=[])

    left = await scene.value("SELECT extract(epoch FROM expires_at - now()) FROM taskfleet.sessions")
    assert answer == HeartbeatAnswer(known=True, stale_share=0.2)
    assert left > 50


@pytest.mark.requirement("B2", "B4")
async def test_expired_session_never_lives_again(scene: Scene) -> None:
    (task,) = await scene.claimed()
    (session,) = scene.sessions
    await scene.expire_session(session)

    answer = await scene.worker.heartbeat(session, held=[task.lease])

    assert (answer.known, answer.lost) == (False, (task.task_id,))
    assert (await scene.claim(session)).verdict is Verdict.SESSION_LOST


async def test_heartbeat_tells_which_leases_are_lost(scene: Scene) -> None:
    kept, lost = await scene.claimed(2)
    await scene.worker.settle(released(lost))

    answer = await scene.worker.heartbeat(scene.sessions[0], held=[kept.lease, lost.lease])

    assert answer.lost == (lost.task_id,)


async def test_leases_that_two_heartbeats_do_not_name_go_back(scene: Scene) -> None:
    named, forgotten = await scene.claimed(2)
    (session,) = scene.sessions

    first = await scene.worker.heartbeat(session, held=[named.lease])
    second = await scene.worker.heartbeat(session, held=[named.lease])

    assert (first.released, second.released) == (0, 1)
    assert (await scene.reader.get_task(forgotten.task_id)).state is TaskState.READY
    assert (await scene.reader.get_task(named.task_id)).state is TaskState.RUNNING
    assert await scene.faults() == []


async def test_lease_that_is_named_again_is_kept(scene: Scene) -> None:
    (task,) = await scene.claimed()
    (session,) = scene.sessions

    answers = [await scene.worker.heartbeat(session, held=held) for held in ([], [task.lease], [])]

    assert [answer.released for answer in answers] == [0, 0, 0]


async def test_new_claim_between_heartbeats_is_not_taken_for_a_forgotten_one(scene: Scene) -> None:
    (task,) = await scene.claimed()
    (session,) = scene.sessions
    await scene.worker.heartbeat(session, held=[])
    await scene.worker.settle(released(task))
    (again,) = (await scene.claim(session)).tasks

    answer = await scene.worker.heartbeat(session, held=[])

    assert (again.task_id, answer.released) == (task.task_id, 0)


@pytest.mark.requirement("B2")
async def test_lease_claimed_by_another_while_the_heartbeat_reads_is_not_taken_for_a_forgotten_one(scene: Scene) -> None:
    (task,) = await scene.claimed()
    other = await scene.session()
    await scene.worker.heartbeat(scene.sessions[0], held=[])

    async with left_open(scene, "SELECT pg_advisory_xact_lock(7)") as between, held_up_where_it_compares_ages(scene) as slow:
        await between.execute("SELECT FROM taskfleet.release_v1(%s, %s, '{X}', '{0}')", [[task.task_id], [task.token]])
        await between.execute("SELECT FROM taskfleet.claim_v1(%s, '{send}', 1)", [other])
        beat = asyncio.ensure_future(slow.execute("SELECT released FROM taskfleet.heartbeat_v2(%s, '{}', '{}')", [scene.sessions[0]]))
        await eventually(partial(somebody_waits, scene))
        await between.commit()
        answer = await (await beat).fetchone()

    found = await scene.reader.get_task(task.task_id)
    assert (answer, found.state, await scene.value("SELECT session_id FROM taskfleet.leases")) == ((0,), TaskState.RUNNING, other)


async def test_drain_mark_reaches_the_worker_by_heartbeat_and_can_be_taken_back(scene: Scene) -> None:
    session = await scene.session()
    answers = []
    for draining in (True, False):
        await scene.operator.mark_draining([session], draining=draining, epoch=None)
        answers.append((await scene.worker.heartbeat(session, held=[])).draining)

    assert answers == [True, False]


async def test_worker_is_drained_only_when_marked_and_empty(scene: Scene) -> None:
    (task,) = await scene.claimed()
    (session,) = scene.sessions
    not_marked = await scene.worker.mark_drained(session)
    await scene.operator.mark_draining([session], draining=True, epoch=None)
    not_empty = await scene.worker.mark_drained(session)
    await scene.worker.settle(completed(task))
    drained = await scene.worker.mark_drained(session)

    (seen,) = (await scene.operator.measure([scene.queue]))[scene.queue].sessions

    assert (not_marked, not_empty, drained) == (False, False, True)
    assert (seen.draining, seen.drained, seen.leases) == (True, True, 0)


async def test_claim_under_way_when_the_mark_is_set_is_not_lost(scene: Scene, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    await scene.fill(3)
    session = await scene.session()

    with connection.transaction():
        connection.execute("SELECT FROM taskfleet.claim_v1(%s, '{send}', 1)", [session])
        await scene.operator.mark_draining([session], draining=True, epoch=None)

    assert (await scene.claim(session)).verdict is Verdict.DRAINING
    assert await scene.worker.mark_drained(session) is False
    assert await scene.count("leases") == 1


async def test_closing_gives_everything_back_at_once(scene: Scene) -> None:
    tasks = await scene.claimed(3)
    (session,) = scene.sessions

    released_leases = await scene.worker.close_session(session)

    claim = await scene.claim(await scene.session())
    assert (released_leases, ids(claim.tasks)) == (3, ids(tasks))
    assert [task.attempt for task in claim.tasks] == [1, 1, 1]
    assert (await scene.claim(session)).verdict is Verdict.SESSION_LOST
    assert [seen.session_id for seen in (await scene.operator.measure([scene.queue]))[scene.queue].sessions] == [scene.sessions[1]]


async def test_claim_that_commits_after_the_goodbye_goes_back_without_an_attempt(
    scene: Scene, connection: "psycopg.Connection[tuple[object, ...]]"
) -> None:
    (task_id,) = await scene.fill()
    session = await scene.session()

    with connection.transaction():
        connection.execute("SELECT FROM taskfleet.claim_v1(%s, '{send}', 1)", [session])
        await scene.worker.close_session(session)
    await scene.maintenance.recover_leases(due_seconds=0, limit=50)

    found = await scene.reader.get_task(task_id)
    assert (found.state, found.attempt_count) == (TaskState.READY, 0)


async def test_opening_twice_is_opening_once(scene: Scene) -> None:
    await asyncio.gather(*(scene.session("send", "resize") for _ in range(8)))

    assert await scene.count("sessions") == 8
    assert await scene.count("kinds") == 2
    assert await scene.count("queues") == 1


async def test_heartbeat_of_a_session_that_never_was_is_unknown(scene: Scene) -> None:
    answer = await scene.worker.heartbeat(uuid4(), held=[LeaseRef(task_id=1, token=uuid4())])

    assert answer == HeartbeatAnswer(known=False, lost=(1,), stale_share=0.0)


async def test_heartbeat_of_a_thousand_leases_is_quick(scene: Scene) -> None:
    tasks = await scene.claimed(1_000)
    await scene.worker.heartbeat(scene.sessions[0], held=[task.lease for task in tasks[:10]])

    async with scene.database.connection() as connection, watched(connection) as nodes:
        await connection.execute(
            "SELECT FROM taskfleet.heartbeat_v1(%s, %s, %s)",
            [scene.sessions[0], [task.task_id for task in tasks], [task.token for task in tasks]],
        )

    assert max(node.rows for node in nodes if node.relation == "leases") <= 1_000


@pytest.mark.requirement("B16")
async def test_a_workers_wish_for_backoff_counts_until_there_is_a_policy(scene: Scene) -> None:
    async def opened_with(lowest: float, highest: float) -> dict[str, object]:
        backoff = Backoff(min_seconds=lowest, max_seconds=highest)
        await scene.worker.open_session(
            NewSession(session_id=uuid4(), queue=scene.queue, worker="w", slots=1, kinds=("send",), lease_seconds=60, backoff=backoff)
        )
        (row,) = await scene.rows("SELECT default_min_backoff_seconds AS low, default_max_backoff_seconds AS high FROM taskfleet.queues")
        return row

    wished = await opened_with(0.5, 4.0)
    await scene.policy(KindPolicy(kind="send"))

    assert wished == {"low": 0.5, "high": 4.0}
    assert await opened_with(9.0, 9.0) == wished
