"""New before old, and old never forgotten."""

import pytest

from taskfleet.models import KindPolicy
from tests.integration.queue.scene import Scene, completed, ids

HOUR = 3_600.0


@pytest.mark.requirement("A7")
async def test_fresh_tasks_go_before_stale_ones(scene: Scene) -> None:
    await scene.fill(3, age=HOUR)
    fresh = await scene.fill(3, age=10)

    claim = await scene.claim(await scene.session(), limit=3)

    assert ids(claim.tasks) == fresh


@pytest.mark.requirement("A7")
async def test_stale_lane_gets_its_slots_although_fresh_tasks_wait(scene: Scene) -> None:
    stale = await scene.fill(10, age=HOUR)
    fresh = await scene.fill(10, age=10)

    claim = await scene.claim(await scene.session(), limit=5, stale_slots=1)

    assert sorted(ids(claim.tasks)) == [stale[0], *fresh[:4]]


async def test_stale_lane_takes_the_oldest_whatever_its_priority(scene: Scene) -> None:
    (oldest,) = await scene.fill(priority=9, age=2 * HOUR)
    await scene.fill(5, priority=0, age=HOUR)
    await scene.fill(5, age=10)

    claim = await scene.claim(await scene.session(), limit=1, stale_slots=1)

    assert ids(claim.tasks) == [oldest]


async def test_room_that_the_fresh_lane_leaves_goes_to_stale_tasks_by_priority(scene: Scene) -> None:
    low = await scene.fill(2, priority=9, age=2 * HOUR)
    high = await scene.fill(2, priority=1, age=HOUR)
    (fresh,) = await scene.fill(1, age=10)

    claim = await scene.claim(await scene.session(), limit=4)

    assert ids(claim.tasks) == [fresh, *high, low[0]]


async def test_room_that_the_stale_lane_leaves_goes_to_fresh_tasks(scene: Scene) -> None:
    fresh = await scene.fill(5, age=10)

    claim = await scene.claim(await scene.session(), limit=5, stale_slots=5)

    assert sorted(ids(claim.tasks)) == fresh


async def test_kinds_share_the_stale_lane(scene: Scene) -> None:
    await scene.fill(100, kind="send", age=3 * HOUR)
    await scene.fill(100, kind="resize", age=HOUR)

    claim = await scene.claim(await scene.session("send", "resize"), "send", "resize", limit=10, stale_slots=10)

    assert sorted(task.kind for task in claim.tasks) == ["resize"] * 5 + ["send"] * 5


@pytest.mark.requirement("A7")
async def test_no_stale_task_starves_under_a_steady_stream_of_urgent_ones(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send"))
    stale = set(await scene.fill(10, priority=9, age=HOUR))
    session = await scene.session()
    for _ in range(12):
        await scene.fill(20, priority=0, age=5)
        marks = await scene.worker.low_water_marks(scene.queue, kinds=["send"])
        claim = await scene.claim(session, limit=5, marks=marks, stale_slots=1)
        stale -= set(ids(claim.tasks))
        await scene.worker.settle(completed(*claim.tasks))

    assert stale == set()


async def test_marks_raised_by_fresh_claims_do_not_hide_stale_tasks(scene: Scene) -> None:
    stale = await scene.fill(5, age=HOUR)
    await scene.fill(50, age=60, apart=1)
    session = await scene.session()
    low, high = sorted(await scene.worker.low_water_marks(scene.queue, kinds=["send"]), key=lambda mark: mark.run_at)
    await scene.claim(session, limit=20, marks=[low, high])

    claim = await scene.claim(session, limit=10, marks=[low, high], stale_slots=2)

    assert set(stale[:2]) <= set(ids(claim.tasks))
