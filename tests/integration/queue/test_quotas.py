"""Limits hold across the fleet, at every moment, however many claim at once."""

import asyncio
import time
from collections import Counter
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from taskfleet.models import KindPolicy
from taskfleet.words import Verdict
from tests.integration.queue.scene import Scene, completed, ids

CLAIMERS = 12


async def claim_and_settle(scene: Scene, session: UUID, *kinds: str, rounds: int, limit: int) -> None:
    """One worker that claims and finishes, again and again."""
    for _ in range(rounds):
        claim = await scene.claim(session, *kinds, limit=limit)
        await asyncio.sleep(0)
        await scene.worker.settle(completed(*claim.tasks))


async def most_leases_seen(scene: Scene, done: asyncio.Event) -> int:
    """The most leases at any look, while others work."""
    most = 0
    while not done.is_set():
        most = max(most, await scene.count("leases"))
    return most


@pytest.mark.requirement("B5")
async def test_quota_is_never_exceeded_by_many_claims_at_once(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_concurrent=5))
    await scene.fill(400)
    sessions = [await scene.session() for _ in range(CLAIMERS)]
    done = asyncio.Event()
    watch = asyncio.create_task(most_leases_seen(scene, done))

    await asyncio.gather(*(claim_and_settle(scene, session, rounds=15, limit=3) for session in sessions))
    done.set()

    assert await watch == 5
    assert await scene.faults() == []


@pytest.mark.requirement("B5")
async def test_claims_at_once_share_a_quota_exactly(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_concurrent=10))
    await scene.fill(200)
    sessions = [await scene.session() for _ in range(CLAIMERS)]

    claims = await asyncio.gather(*(scene.claim(session, limit=3) for session in sessions))

    assert sum(len(claim.tasks) for claim in claims) == 10
    assert {claim.verdict for claim in claims} == {Verdict.CLAIMED, Verdict.QUOTA}
    assert all(claim.limited for claim in claims)


@pytest.mark.requirement("A9", "B5")
async def test_max_concurrent_holds_for_all_kinds_of_a_queue_together(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"), KindPolicy(kind="resize"), max_concurrent=7)
    await scene.fill(50, kind="send")
    await scene.fill(50, kind="resize")
    sessions = [await scene.session("send", "resize") for _ in range(CLAIMERS)]

    claims = await asyncio.gather(*(scene.claim(session, "send", "resize", limit=2) for session in sessions))

    assert sum(len(claim.tasks) for claim in claims) == 7
    assert (await scene.claim(sessions[0], "send", "resize")).verdict is Verdict.CEILING


@pytest.mark.requirement("A9")
async def test_failure_ceiling_is_enforced_at_claim_time_and_lifted_again(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"), max_concurrent=50)
    await scene.fill(20)
    session = await scene.session()

    await scene.operator.write_ceiling(scene.queue, slots=2, epoch=None)
    held_down = await scene.claim(session, limit=10)
    await scene.operator.write_ceiling(scene.queue, slots=None, epoch=None)
    lifted = await scene.claim(session, limit=10)

    assert (len(held_down.tasks), len(lifted.tasks)) == (2, 10)


async def test_open_breaker_lets_one_probe_of_its_kind_through(scene: Scene) -> None:
    await scene.fill(5, kind="send")
    await scene.fill(5, kind="resize")
    session = await scene.session("send", "resize")
    await scene.operator.write_ceiling(scene.queue, slots=None, kind_slots={"send": 1}, epoch=None)

    claim = await scene.claim(session, "send", "resize")
    again = await scene.claim(session, "send")

    assert Counter(task.kind for task in claim.tasks) == {"send": 1, "resize": 5}
    assert again.verdict is Verdict.CEILING


async def test_kind_at_its_quota_does_not_hold_up_another_behind_it(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_concurrent=1), KindPolicy(kind="resize"))
    await scene.fill(1_000, kind="send", age=600)
    waiting = await scene.fill(2, kind="resize", age=1)
    session = await scene.session("send", "resize")
    await scene.claim(session, "send", "resize", limit=1)

    claim = await scene.claim(session, "send", "resize", limit=5)

    assert ids(claim.tasks) == waiting


async def test_finished_task_frees_its_place_at_once(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_concurrent=1))
    first, second = await scene.fill(2)
    session = await scene.session()
    claim = await scene.claim(session)

    _, next_claim = await scene.worker.settle_and_claim(completed(*claim.tasks), session, kinds=["send"], limit=10)

    assert (ids(claim.tasks), ids(next_claim.tasks)) == ([first], [second])


async def test_killed_worker_leaks_no_place(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", max_concurrent=2, min_backoff_seconds=0, max_backoff_seconds=0))
    await scene.fill(5)
    killed = await scene.session()
    await scene.claim(killed)
    await scene.expire_session(killed)
    await scene.maintenance.recover_leases(due_seconds=0, limit=50)

    claim = await scene.claim(await scene.session())

    assert len(claim.tasks) == 2


async def test_claim_waits_for_one_that_counts_before_it(scene: Scene, connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    await scene.policy(KindPolicy(kind="send", max_concurrent=1))
    await scene.fill(5)
    session = await scene.session()

    with connection.transaction():
        connection.execute("SELECT FROM taskfleet.claim_v1(%s, '{send}', 1)", [session])
        waiting = asyncio.create_task(scene.claim(session))
        done, _ = await asyncio.wait([waiting], timeout=0.3)

    assert (done, (await waiting).verdict) == (set(), Verdict.QUOTA)


@pytest.mark.requirement("B5")
async def test_rate_lets_no_more_than_its_starts_through_at_once(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", rate_starts=7, rate_period_seconds=60))
    await scene.fill(100)
    sessions = [await scene.session() for _ in range(CLAIMERS)]

    claims = await asyncio.gather(*(scene.claim(session, limit=2) for session in sessions))

    assert sum(len(claim.tasks) for claim in claims) == 7
    assert (await scene.claim(sessions[0])).verdict is Verdict.RATE


@pytest.mark.requirement("B5")
async def test_no_interval_of_the_period_holds_more_starts_than_the_rate(scene: Scene) -> None:
    period, starts = 1.0, 10
    await scene.policy(KindPolicy(kind="send", rate_starts=starts, rate_period_seconds=period))
    await scene.fill(200)
    sessions = [await scene.session() for _ in range(4)]

    # Until tasks of the third period have started: at least two periods lie between the first start and the last.
    while await scene.count("leases") < 3 * starts:
        await asyncio.gather(*(scene.claim(session, limit=3) for session in sessions))

    moments = [row["started_at"] for row in await scene.rows("SELECT started_at FROM taskfleet.leases ORDER BY started_at")]
    # A twentieth more than the period: a handler may begin later than its claim by so much, and the next one at once.
    kept = timedelta(seconds=period * 1.05)
    crowded = [first for first in moments if sum(first <= moment < first + kept for moment in moments) > starts]
    assert crowded == []


async def test_rate_forgets_windows_that_no_interval_reaches(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", rate_starts=100_000, rate_period_seconds=0.1))
    session = await scene.session()
    began = time.monotonic()

    # Five periods, a hundred sub-windows.
    while time.monotonic() < began + 0.5:
        await scene.fill(5)
        await scene.claim(session, limit=5)

    assert await scene.count("kind_starts") <= 45
