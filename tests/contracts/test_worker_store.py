"""What the worker relies on from its store, held against the fake in memory and the real one on PostgreSQL alike."""

from collections.abc import AsyncIterator
from typing import Any, Protocol
from uuid import UUID, uuid4

import psycopg
import pytest

from taskfleet.models import Claim, ClaimedTask, Completion, Failure, LeaseNote, LeaseRef, NewSession, Release, Settlement
from taskfleet.words import ErrorCode, Verdict
from taskfleet_worker.runtime.worker import WorkerStore
from tests.support.fake_worker_store import FakeWorkerStore


class Queue(Protocol):
    """A store and what a test does beside it."""

    store: WorkerStore

    async def enqueue(self, kind: str, payload: object = None, *, entity: str | None = None, max_attempts: int = 3) -> int: ...
    async def lose(self, session_id: UUID) -> None: ...
    async def drain(self, session_id: UUID, *, draining: bool = True) -> None: ...
    async def cancel(self, task_id: int) -> None: ...
    async def limit(self, kind: str) -> None: ...


class FakeQueue:
    def __init__(self) -> None:
        self.fake = FakeWorkerStore(keeps_delays=True)
        self.store: WorkerStore = self.fake

    async def enqueue(self, kind: str, payload: object = None, *, entity: str | None = None, max_attempts: int = 3) -> int:
        return self.fake.enqueue(kind, payload, entity=entity, max_attempts=max_attempts)

    async def lose(self, session_id: UUID) -> None:
        self.fake.lose_session(session_id)

    async def drain(self, session_id: UUID, *, draining: bool = True) -> None:
        self.fake.sessions[session_id].draining = draining

    async def cancel(self, task_id: int) -> None:
        self.fake.cancelled.add(task_id)

    async def limit(self, kind: str) -> None:
        self.fake.limited.add(kind)


class RealQueue:
    def __init__(self, url: str, database: Any) -> None:
        from taskfleet.store import WorkerStore as Real

        self.url = url
        self.database = database
        self.store: WorkerStore = Real(database)

    async def enqueue(self, kind: str, payload: object = None, *, entity: str | None = None, max_attempts: int = 3) -> int:
        from taskfleet import AsyncProducer

        async with AsyncProducer(self.url, queue="default") as producer:
            return (await producer.enqueue(kind, payload, entity=entity, max_attempts=max_attempts)).task_id

    async def lose(self, session_id: UUID) -> None:
        from taskfleet.maintenance import run_once

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("UPDATE taskfleet.queues SET default_min_backoff_seconds = 0, default_max_backoff_seconds = 0")
            connection.execute("UPDATE taskfleet.sessions SET expires_at = now() - interval '1 s' WHERE id = %s", [session_id])
        await run_once(self.database, ["recover_leases"])

    async def drain(self, session_id: UUID, *, draining: bool = True) -> None:
        from taskfleet.store import OperatorStore

        operator = OperatorStore(self.database)
        await operator.mark_draining([session_id], draining=draining, epoch=await operator.take_lead("contract"))

    async def cancel(self, task_id: int) -> None:
        from taskfleet import AsyncProducer

        async with AsyncProducer(self.url, queue="default") as producer:
            await producer.cancel(task_id)

    async def limit(self, kind: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("UPDATE taskfleet.kinds SET max_concurrent = 5 WHERE name = %s", [kind])


@pytest.fixture(params=["fake", "real"])
async def queue(request: pytest.FixtureRequest) -> AsyncIterator[Queue]:
    if request.param == "fake":
        yield FakeQueue()
        return
    from taskfleet.store import Database

    url = request.getfixturevalue("database_url")
    async with Database(url) as database:
        yield RealQueue(url, database)


async def opened(queue: Queue, *, kinds: tuple[str, ...] = ("mail",)) -> UUID:
    session_id = uuid4()
    session = NewSession(session_id=session_id, queue="default", worker="contract", slots=4, kinds=kinds, lease_seconds=60)
    await queue.store.open_session(session)
    return session_id


async def claimed(queue: Queue, session_id: UUID, *, limit: int = 1) -> Claim:
    return await queue.store.claim(session_id, kinds=["mail"], limit=limit)


async def one(queue: Queue, session_id: UUID) -> ClaimedTask:
    (task,) = (await claimed(queue, session_id)).tasks
    return task


def failure(lease: LeaseRef, *, retryable: bool, missing_entity: str | None = None) -> Settlement:
    code = ErrorCode.EXECUTION_FAILED if retryable else ErrorCode.ENTITY_NOT_FOUND
    return Settlement(failures=[Failure(lease=lease, code=code, message="no", retryable=retryable, missing_entity=missing_entity)])


def completion(lease: LeaseRef) -> Settlement:
    return Settlement(completions=[Completion(lease=lease)])


@pytest.mark.requirement("A8")
async def test_a_claim_brings_up_to_its_limit_oldest_first_under_one_lease_each(queue: Queue) -> None:
    session_id = await opened(queue)
    ids = [await queue.enqueue("mail", {"n": number}) for number in range(3)]

    claim = await claimed(queue, session_id, limit=2)

    assert claim.verdict is Verdict.CLAIMED
    assert [(task.task_id, task.kind, task.payload, task.attempt) for task in claim.tasks] == [
        (ids[0], "mail", {"n": 0}, 1),
        (ids[1], "mail", {"n": 1}, 1),
    ]


async def test_a_claim_brings_only_kinds_it_asks_for(queue: Queue) -> None:
    session_id = await opened(queue, kinds=("mail", "fax"))
    await queue.enqueue("fax")

    assert (await claimed(queue, session_id)).verdict is Verdict.IDLE


async def test_a_session_that_is_not_known_is_told_so(queue: Queue) -> None:
    await queue.enqueue("mail")
    await opened(queue)

    claim = await claimed(queue, uuid4())

    assert (claim.verdict, claim.tasks) == (Verdict.SESSION_LOST, ())
    assert not (await queue.store.heartbeat(uuid4(), held=[])).known


@pytest.mark.requirement("B2")
async def test_a_completion_counts_once_and_only_with_its_token(queue: Queue) -> None:
    session_id = await opened(queue)
    task_id = await queue.enqueue("mail")
    task = await one(queue, session_id)

    wrong = await queue.store.settle(completion(LeaseRef(task_id=task_id, token=uuid4())))
    right = await queue.store.settle(completion(task.lease))
    again = await queue.store.settle(completion(task.lease))

    assert (tuple(wrong.stale), tuple(right.finished), tuple(again.stale)) == ((task_id,), (task_id,), (task_id,))


@pytest.mark.requirement("B6")
async def test_a_retryable_failure_comes_back_until_its_attempts_are_used_up(queue: Queue) -> None:
    session_id = await opened(queue)
    kept = await queue.enqueue("mail", max_attempts=2)
    last = await queue.enqueue("mail", max_attempts=1)
    tasks = {task.task_id: task for task in (await claimed(queue, session_id, limit=2)).tasks}

    first = await queue.store.settle(failure(tasks[kept].lease, retryable=True))
    second = await queue.store.settle(failure(tasks[last].lease, retryable=True))

    assert (tuple(first.retried), tuple(second.finished)) == ((kept,), (last,))


@pytest.mark.requirement("B6")
async def test_a_failure_that_is_not_retryable_ends_the_task(queue: Queue) -> None:
    session_id = await opened(queue)
    task_id = await queue.enqueue("mail")
    task = await one(queue, session_id)

    assert tuple((await queue.store.settle(failure(task.lease, retryable=False))).finished) == (task_id,)


@pytest.mark.requirement("B6")
async def test_a_release_uses_up_no_attempt(queue: Queue) -> None:
    session_id = await opened(queue)
    task_id = await queue.enqueue("mail")
    task = await one(queue, session_id)

    settled = await queue.store.settle(Settlement(releases=[Release(lease=task.lease, code=ErrorCode.SHUTDOWN)]))
    again = await one(queue, session_id)

    assert tuple(settled.retried) == (task_id,)
    assert (again.task_id, again.attempt) == (task_id, 1)
    assert again.token != task.token


@pytest.mark.requirement("A5")
async def test_a_missing_entity_is_known_to_the_next_claim(queue: Queue) -> None:
    session_id = await opened(queue)
    await queue.enqueue("mail", entity="gone")
    await queue.store.settle(failure((await one(queue, session_id)).lease, retryable=False, missing_entity="gone"))
    await queue.enqueue("mail", entity="gone")
    await queue.enqueue("mail", entity="there")

    flags = {task.entity: task.entity_missing for task in (await claimed(queue, session_id, limit=2)).tasks}

    assert flags == {"gone": True, "there": False}


async def test_settling_and_claiming_go_together(queue: Queue) -> None:
    session_id = await opened(queue)
    first, second = await queue.enqueue("mail"), await queue.enqueue("mail")
    task = await one(queue, session_id)

    settled, claim = await queue.store.settle_and_claim(completion(task.lease), session_id, kinds=["mail"], limit=4)

    assert tuple(settled.finished) == (first,)
    assert [task.task_id for task in claim.tasks] == [second]


@pytest.mark.requirement("B4")
async def test_a_heartbeat_says_what_is_lost(queue: Queue) -> None:
    session_id = await opened(queue)
    await queue.enqueue("mail")
    await queue.enqueue("mail")
    kept, finished = (await claimed(queue, session_id, limit=2)).tasks
    await queue.store.settle(completion(finished.lease))

    answer = await queue.store.heartbeat(session_id, held=[kept.lease, LeaseRef(task_id=finished.task_id, token=finished.token)])

    assert (answer.known, answer.draining, tuple(answer.lost)) == (True, False, (finished.task_id,))


async def test_a_heartbeat_names_what_it_holds_and_somebody_wants_stopped(queue: Queue) -> None:
    session_id = await opened(queue)
    await queue.enqueue("mail")
    await queue.enqueue("mail")
    wanted, unwanted = (await claimed(queue, session_id, limit=2)).tasks
    await queue.cancel(unwanted.task_id)

    held = await queue.store.heartbeat(session_id, held=[wanted.lease, unwanted.lease])
    await queue.store.settle(Settlement(failures=[Failure(lease=unwanted.lease, code=ErrorCode.CANCELLED, message="stopped")]))
    ended = await queue.store.heartbeat(session_id, held=[wanted.lease])

    assert (tuple(held.cancelled), tuple(held.lost)) == ((unwanted.task_id,), ())
    assert (tuple(ended.cancelled), tuple(ended.lost)) == ((), ())


@pytest.mark.requirement("B4")
async def test_what_an_expired_session_held_goes_to_another_and_its_own_late_word_is_refused(queue: Queue) -> None:
    frozen, other = await opened(queue), await opened(queue)
    task_id = await queue.enqueue("mail")
    task = await one(queue, frozen)

    await queue.lose(frozen)
    taken_over = await one(queue, other)
    late = await queue.store.settle(completion(task.lease))

    assert (taken_over.task_id, taken_over.attempt) == (task_id, 2)
    assert tuple(late.stale) == (task_id,)
    assert not (await queue.store.heartbeat(frozen, held=[task.lease])).known


async def test_a_draining_session_claims_nothing_and_is_drained_only_when_empty(queue: Queue) -> None:
    session_id = await opened(queue)
    await queue.enqueue("mail")
    await queue.enqueue("mail")
    task = await one(queue, session_id)
    not_yet_draining = await queue.store.mark_drained(session_id)
    await queue.drain(session_id)

    claim = await claimed(queue, session_id)
    busy = await queue.store.mark_drained(session_id)
    await queue.store.settle(completion(task.lease))
    empty = await queue.store.mark_drained(session_id)

    assert (claim.verdict, claim.tasks) == (Verdict.DRAINING, ())
    assert (not_yet_draining, busy, empty) == (False, False, True)
    assert (await queue.store.heartbeat(session_id, held=[])).draining


async def test_a_drain_mark_can_be_taken_back(queue: Queue) -> None:
    session_id = await opened(queue)
    await queue.enqueue("mail")
    await queue.drain(session_id)
    await queue.drain(session_id, draining=False)

    assert (await claimed(queue, session_id)).verdict is Verdict.CLAIMED


async def test_closing_a_session_gives_back_what_it_held_at_once(queue: Queue) -> None:
    session_id, other = await opened(queue), await opened(queue)
    task_id = await queue.enqueue("mail")
    await one(queue, session_id)

    released = await queue.store.close_session(session_id)
    again = await one(queue, other)

    assert released == 1
    assert (again.task_id, again.attempt) == (task_id, 1)


async def test_marks_name_kinds_that_have_work(queue: Queue) -> None:
    session_id = await opened(queue, kinds=("mail", "fax"))
    await queue.enqueue("mail")

    marks = await queue.store.low_water_marks("default", kinds=["mail", "fax"])
    claim = await queue.store.claim(session_id, kinds=["mail", "fax"], limit=1, marks=marks, stale_slots=1)

    assert [(mark.kind, mark.priority) for mark in marks] == [("mail", 5)]
    assert len(claim.tasks) == 1


async def test_a_note_is_taken_down_while_its_lease_holds(queue: Queue) -> None:
    session_id = await opened(queue)
    await queue.enqueue("mail")
    await queue.enqueue("mail")
    kept, finished = (await claimed(queue, session_id, limit=2)).tasks
    await queue.store.settle(completion(finished.lease))

    notes = [LeaseNote(lease=task.lease, progress={"share": 0.5}, longer_seconds=60.0) for task in (kept, finished)]

    assert tuple(await queue.store.note(notes)) == (finished.task_id,)


@pytest.mark.requirement("B5")
async def test_kinds_with_a_limit_are_told(queue: Queue) -> None:
    await opened(queue, kinds=("mail", "fax"))
    before = await queue.store.limited_kinds("default", kinds=["mail", "fax"])
    await queue.limit("fax")

    assert list(before) == []
    assert list(await queue.store.limited_kinds("default", kinds=["mail", "fax"])) == ["fax"]


async def test_kinds_of_a_queue_are_told_whoever_does_them(queue: Queue) -> None:
    await opened(queue, kinds=("mail",))
    await queue.enqueue("mail")
    await queue.enqueue("fax")

    assert list(await queue.store.queue_kinds("default")) == ["fax", "mail"]
