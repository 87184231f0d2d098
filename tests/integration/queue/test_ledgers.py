"""The ledgers tell the truth, whatever happens at once; and no mark hides a task."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet.maintenance import run_once
from taskfleet.models import ClaimedTask, KindPolicy, Settlement
from taskfleet.words import ErrorCode
from taskfleet_operator.simulation import backlog
from tests.integration.queue.scene import Scene, completed, failed, ids, released

HISTORY = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


NARROWEST = timedelta(seconds=5)
CLASSES = (
    (timedelta(hours=4), timedelta(hours=16)),
    (timedelta(hours=1), timedelta(hours=2)),
    (timedelta(minutes=15), timedelta(hours=1)),
    (timedelta(minutes=5), timedelta(minutes=20)),
    (timedelta(minutes=1), timedelta(minutes=4)),
    (timedelta(seconds=15), timedelta(minutes=1)),
)
"""Width of a bucket, and the age of its start from which it is used."""


def floor(moment: datetime, width: timedelta) -> datetime:
    epoch = datetime(2000, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // width * width


def bucket_of(moment: datetime, now: datetime) -> datetime:
    """backlog_bucket, written a second time: the widest floor whose age says so."""
    return next((floor(moment, width) for width, least_age in CLASSES if now - floor(moment, width) >= least_age), floor(moment, NARROWEST))


def bucket_before(moment: datetime, now: datetime) -> datetime:
    """What backlog_bucket was before migration 0026: its buckets are still there when the new one comes."""
    for width, least_age in ((timedelta(hours=1), timedelta(hours=2)), (timedelta(minutes=1), timedelta(minutes=6))):
        if now - floor(moment, width) >= least_age:
            return floor(moment, width)
    return floor(moment, NARROWEST)


def test_simulated_operator_sees_the_same_buckets() -> None:
    assert tuple((timedelta(seconds=width), timedelta(seconds=age)) for width, age in backlog.CLASSES) == CLASSES


SPANS = st.one_of(st.floats(0, 400), st.floats(0, 10_000), st.floats(0, 200_000))


@pytest.mark.parametrize("before", [bucket_of, bucket_before])
@given(moment=HISTORY, age=st.one_of(SPANS, st.floats(-86_400, 0)), later=SPANS)
def test_bucket_of_a_bucket_is_the_bucket_of_its_tasks(
    before: Callable[[datetime, datetime], datetime], moment: datetime, age: float, later: float
) -> None:
    now = moment + timedelta(seconds=age)
    afterwards = now + timedelta(seconds=later)

    widened = bucket_of(before(moment, now), afterwards)

    assert widened == bucket_of(moment, afterwards)
    assert widened <= moment


@given(moment=HISTORY, age=st.one_of(SPANS, st.floats(-86_400, 0)))
def test_age_of_a_bucket_is_never_too_low_and_by_a_part_too_high(moment: datetime, age: float) -> None:
    now = moment + timedelta(seconds=age)

    # Not `age`: the moments are rounded to microseconds.
    real, shown = (now - moment).total_seconds(), (now - bucket_of(moment, now)).total_seconds()

    assert real <= shown <= real + max(5, real if real >= 3_600 else real / 3)


async def test_database_knows_the_same_buckets(scene: Scene) -> None:
    now = datetime.now(UTC)
    spans = (100, 2_000, 20_000, 200_000)
    moments = [now - timedelta(seconds=random.uniform(-span / 10, span)) for span in spans for _ in range(250)]

    rows = await scene.rows(
        "SELECT moment, taskfleet.backlog_bucket(moment, %s) AS bucket FROM unnest(%s::timestamptz[]) AS moment", now, moments
    )

    assert [row["bucket"] for row in rows] == [bucket_of(row["moment"], now) for row in rows]


class Chaos:
    """One worker that does whatever comes to its mind."""

    def __init__(self, scene: Scene, session: UUID, seed: int) -> None:
        self.scene, self.session, self.random = scene, session, random.Random(seed)
        self.held: list[ClaimedTask] = []

    async def act(self, rounds: int) -> None:
        for _ in range(rounds):
            act: Callable[[], Awaitable[object]] = self.random.choice(
                [self.enqueue, self.claim, self.claim, self.settle, self.settle, self.settle_twice, self.maintain, self.vanish]
            )
            await act()

    async def enqueue(self) -> None:
        age = self.random.choice([-30, 0, 3, 400, 4_000, 90_000])
        await self.scene.fill(
            self.random.randint(1, 20),
            kind=self.random.choice(["send", "resize"]),
            age=age,
            apart=self.random.choice([0.0, 1.0, 60.0]),
            priority=self.random.randint(0, 9),
        )

    async def claim(self) -> None:
        marks = await self.scene.worker.low_water_marks(self.scene.queue, kinds=["send", "resize"]) if self.random.random() < 0.5 else ()
        claim = await self.scene.claim(
            self.session, "send", "resize", limit=self.random.randint(1, 20), marks=marks, stale_slots=self.random.randint(0, 3)
        )
        self.held += claim.tasks

    async def settle(self) -> None:
        await self.scene.worker.settle(self.some())

    async def settle_twice(self) -> None:
        settlement = self.some()
        await asyncio.gather(self.scene.worker.settle(settlement), self.scene.worker.settle(settlement))

    async def maintain(self) -> None:
        await run_once(self.scene.database)

    async def vanish(self) -> None:
        await self.scene.expire_session(self.session)
        self.session = await self.scene.session("send", "resize")

    def some(self) -> Settlement:
        self.random.shuffle(self.held)
        taken, self.held = self.held[:12], self.held[12:]
        return Settlement(
            completions=completed(*taken[:4]).completions,
            failures=[
                *failed(*taken[4:6]).failures,
                *failed(*taken[6:8], code=ErrorCode.PAYLOAD_INVALID, retryable=False).failures,
            ],
            releases=released(*taken[8:], delay_seconds=self.random.choice([0.0, 5.0])).releases,
        )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.requirement("A4", "B2")
async def test_ledgers_tell_the_truth_under_concurrent_chaos(scene: Scene, seed: int) -> None:
    await scene.policy(
        KindPolicy(kind="send", max_concurrent=30, min_backoff_seconds=0, max_backoff_seconds=1),
        KindPolicy(kind="resize", rate_starts=50, rate_period_seconds=1),
        waiting_expiry_seconds=100_000,
    )
    workers = [Chaos(scene, await scene.session("send", "resize"), seed * 100 + number) for number in range(6)]

    await asyncio.gather(*(worker.act(25) for worker in workers))

    assert await scene.faults() == []
    await run_once(scene.database)
    assert await scene.faults() == []
    measured = (await scene.operator.measure([scene.queue]))[scene.queue]
    assert sum(profile.count for profile in measured.ready) + measured.scheduled == await scene.count("ready")


async def test_task_committed_late_is_not_hidden_by_a_mark(scene: Scene, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    await scene.fill(50, age=60, apart=1)
    session = await scene.session()
    with connection.transaction():
        (late,) = connection.execute("INSERT INTO taskfleet.tasks (kind_id) SELECT id FROM taskfleet.kinds RETURNING id").fetchone() or ()
        connection.execute(
            "INSERT INTO taskfleet.ready (task_id, run_at, due_since, kind_id, priority)"
            " SELECT %s, now() - interval '1 hour', now(), id, 5 FROM taskfleet.kinds",
            [late],
        )
        connection.execute(
            "INSERT INTO taskfleet.backlog_ledger"
            " SELECT id, 5, taskfleet.backlog_bucket(now() - interval '1 hour', now()), 1 FROM taskfleet.kinds"
        )
        before = await scene.worker.low_water_marks(scene.queue, kinds=["send"])
        first = await scene.claim(session, limit=10, marks=before)
    after = await scene.worker.low_water_marks(scene.queue, kinds=["send"])

    second = await scene.claim(session, limit=10, marks=after, stale_slots=1)

    assert late not in ids(first.tasks)
    assert late in ids(second.tasks)


async def test_counters_never_fall_while_ledgers_are_folded(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"))
    session = await scene.session()
    seen: list[int] = []
    done = asyncio.Event()

    async def watch() -> None:
        while not done.is_set():
            seen.append((await scene.outcomes()).get(("succeeded", ""), 0))

    watching = asyncio.create_task(watch())
    for _ in range(30):
        await scene.fill(5)
        claim = await scene.claim(session)
        await asyncio.gather(scene.worker.settle(completed(*claim.tasks)), run_once(scene.database, ["fold_ledgers"]))
    done.set()
    await watching

    assert seen == sorted(seen)
    assert (await scene.outcomes())["succeeded", ""] == 150
