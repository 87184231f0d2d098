"""Dead letters listed, counted, retried and purged by filter; waiting tasks cleared."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from taskfleet import AsyncProducer, ChangeOutcome, DeadLetterFilter, DeadReason
from taskfleet.client import dead_letters
from taskfleet.dead_letters import AgeClass, Cleared, GroupCounts
from taskfleet.words import ErrorCode
from tests.integration.queue.races import left_open, met
from tests.integration.queue.scene import QUEUE, Scene, failed, ids

pytestmark = pytest.mark.requirement("C3", "E9")

TRACE = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


@pytest.fixture
async def producer(scene: Scene) -> AsyncIterator[AsyncProducer]:
    async with AsyncProducer(scene.database.url, queue=QUEUE) as made:
        yield made


async def dead(
    scene: Scene, count: int = 1, *, kind: str = "send", code: ErrorCode = ErrorCode.PAYLOAD_INVALID, **values: Any
) -> list[int]:
    await scene.fill(count, kind=kind, **values)
    claim = await scene.claim(await scene.session(kind), kind, limit=count)
    await scene.worker.settle(failed(*claim.tasks, code=code, retryable=False))
    return sorted(ids(claim.tasks), reverse=True)


async def listed(producer: AsyncProducer, **wanted: Any) -> list[int]:
    return [task.task_id for task in (await producer.dead_letters(DeadLetterFilter(**wanted))).tasks]


async def test_pages_go_on_where_the_last_one_ended(scene: Scene, producer: AsyncProducer) -> None:
    expected = await dead(scene, 5)

    first = await producer.dead_letters(limit=2)
    second = await producer.dead_letters(limit=2, after=first.next)
    third = await producer.dead_letters(limit=2, after=second.next)

    pages = [[task.task_id for task in page.tasks] for page in (first, second, third)]
    assert pages == [expected[:2], expected[2:4], expected[4:]]
    assert third.next is None
    assert (first.tasks[0].code, first.tasks[0].dead_reason, first.tasks[0].queue) == ("TASK_PAYLOAD_INVALID", "non_retryable", QUEUE)


async def test_each_filter_finds_its_own(scene: Scene, producer: AsyncProducer) -> None:
    plain = await dead(scene)
    other_kind = await dead(scene, kind="resize")
    grouped = await dead(scene, group="g")
    traced = await dead(scene, headers=HEADERS, group="h")
    coded = await dead(scene, code=ErrorCode.ENTITY_NOT_FOUND)
    (waiting,) = await scene.fill()
    await producer.cancel(waiting)
    async with AsyncProducer(scene.database.url, queue="other") as elsewhere:
        await elsewhere.cancel((await elsewhere.enqueue("send", group="g", headers=HEADERS)).task_id)

    found = [
        await listed(producer, kind="resize"),
        await listed(producer, group="g"),
        await listed(producer, trace_id=TRACE),
        await listed(producer, trace_id=TRACE, group="g"),
        await listed(producer, code="TASK_ENTITY_NOT_FOUND"),
        await listed(producer, reason=DeadReason.CANCELLED),
        await listed(producer, task_ids=[*plain, *coded, 4711], kind="send"),
        await listed(producer, kind="send", code="TASK_PAYLOAD_INVALID", group="g"),
        await listed(producer),
    ]

    assert found == [
        other_kind,
        grouped,
        traced,
        [],
        coded,
        [waiting],
        [*coded, *plain],
        grouped,
        [waiting, *coded, *traced, *grouped, *other_kind, *plain],
    ]


async def test_what_matches_is_retried_the_newest_first(scene: Scene, producer: AsyncProducer) -> None:
    task_ids = await dead(scene, 4, group="g")
    await dead(scene, 2, group="h")

    changes = await producer.retry_dead_letters(DeadLetterFilter(group="g"), limit=3)

    assert [(changed.task_id, changed.outcome) for changed in changes] == [(task_id, ChangeOutcome.RETRIED) for task_id in task_ids[:3]]
    assert (await scene.count("ready"), await scene.count("dead_letters")) == (3, 3)
    assert await scene.faults() == []


async def test_what_matches_is_purged_in_batches(scene: Scene, producer: AsyncProducer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "BATCH_ROWS", 3)
    await dead(scene, 10, group="g")
    kept = await dead(scene, 2, kind="resize", group="g")

    purged = await producer.purge_dead_letters(DeadLetterFilter(group="g", kind="send"))

    assert (purged, await listed(producer), await scene.count("tasks")) == (10, kept, 2)
    assert await scene.faults() == []


async def test_a_purge_leaves_what_is_being_retried(scene: Scene, producer: AsyncProducer) -> None:
    task_ids = await dead(scene, 3)

    purged = await met(scene, producer.purge_dead_letters(DeadLetterFilter()), "SELECT FROM taskfleet.retry_v1(%s)", task_ids[:1])

    assert (purged, await scene.count("ready"), await scene.count("tasks")) == (2, 1, 1)
    assert await scene.faults() == []


async def test_statistics_say_what_fails_where_and_how_old(scene: Scene, producer: AsyncProducer) -> None:
    await dead(scene, 3, group="g", age=100)
    await dead(scene, 2, kind="resize", code=ErrorCode.ENTITY_NOT_FOUND, age=90_000)
    await scene.rows("UPDATE taskfleet.dead_letters SET message = 'source ' || task_id || ' of \"x' || task_id || '\" not found'")

    stats = await producer.dead_letter_stats()

    assert stats.total == 5
    assert (stats.by_kind, stats.by_group) == ({"send": 3, "resize": 2}, {"g": 3})
    assert (stats.by_code, stats.by_reason) == ({"TASK_PAYLOAD_INVALID": 3, "TASK_ENTITY_NOT_FOUND": 2}, {"non_retryable": 5})
    assert stats.by_fingerprint == {
        "TASK_PAYLOAD_INVALID: source # of '…' not found": 3,
        "TASK_ENTITY_NOT_FOUND: source # of '…' not found": 2,
    }
    assert [age for age in stats.by_age if age.count] == [AgeClass(below_seconds=900, count=3), AgeClass(below_seconds=172_800, count=2)]
    assert len(stats.by_age) == 7


@pytest.mark.parametrize(
    ("message", "fingerprint"),
    [
        ("it broke", "X: it broke"),
        ("KeyError: 'user 7' in row 12\nmore 5", "X: KeyError: '…' in row #"),
        ("no episode 0af76519-16cd-43dd-8448-eb211c80319c", "X: no episode #"),
        ("", "X: "),
    ],
)
async def test_a_fingerprint_leaves_out_what_differs(scene: Scene, message: str, fingerprint: str) -> None:
    assert await scene.value("SELECT taskfleet.fingerprint('X', %s)", message) == fingerprint


@pytest.mark.requirement("E3")
async def test_clearing_removes_what_waits_and_nothing_else(scene: Scene, producer: AsyncProducer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "BATCH_ROWS", 4)
    (running,) = await scene.claimed()
    (letter,) = await dead(scene)
    await scene.fill(9, key="k", age=-60)
    (paused, *_) = await scene.fill(6, kind="resize", group="g")
    await producer.pause_task(paused)
    length = [await producer.length(), await producer.length(kind="resize"), await producer.length(kind="none")]

    by_kind = await producer.clear(kind="resize")
    everything = await producer.clear()

    assert length == [14, 5, 0]
    assert (by_kind, everything) == (Cleared(waiting=5, paused=1), Cleared(waiting=9, paused=0))
    assert [row["id"] for row in await scene.rows("SELECT id FROM taskfleet.tasks ORDER BY id")] == [running.task_id, letter]
    assert (await scene.count("idempotency_keys"), await producer.length()) == (0, 0)
    assert (await scene.outcomes())["cancelled", "TASK_CANCELLED"] == 15
    assert await scene.faults() == []


@pytest.mark.requirement("C4")
async def test_a_group_is_counted_and_cleared_alone(scene: Scene, producer: AsyncProducer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "BATCH_ROWS", 2)
    await scene.claimed(group="g")
    await dead(scene, group="g")
    waiting = await scene.fill(5, group="g")
    await scene.fill(1, group="g", age=-60)
    await scene.fill(3, group="h")
    await producer.pause_task(waiting[0])
    await producer.cancel(waiting[1])
    before = await producer.count_group("g")

    cleared = await producer.clear(group="g")

    assert before == GroupCounts(scheduled=1, ready=3, running=1, paused=1, failed=1, cancelled=1)
    assert cleared == Cleared(waiting=4, paused=1)
    assert await producer.count_group("g") == GroupCounts(scheduled=0, ready=0, running=1, paused=0, failed=1, cancelled=1)
    assert await producer.length() == 3
    assert await scene.faults() == []


@pytest.mark.requirement("E3")
async def test_clearing_leaves_what_a_worker_is_just_claiming(scene: Scene, producer: AsyncProducer) -> None:
    await scene.fill(3)
    session = await scene.session()

    async with left_open(scene, "SELECT FROM taskfleet.claim_v1(%s, ARRAY['send'], 1)", session):
        cleared = await producer.clear()

    assert (cleared.waiting, await scene.count("leases"), await scene.count("ready")) == (2, 1, 0)
    assert await scene.faults() == []
