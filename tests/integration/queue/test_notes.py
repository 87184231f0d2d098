"""What handlers say while they run, as the database keeps it."""

import pytest

from taskfleet.models import Completion, KindPolicy, LeaseNote, Settlement
from tests.integration.queue.scene import Scene


async def allowed_seconds(scene: Scene) -> list[int]:
    """What each lease is allowed, from its start, in tens of seconds."""
    rows = await scene.rows(
        "SELECT round(extract(epoch FROM deadline_at - started_at) / 10)::integer AS tens FROM taskfleet.leases ORDER BY task_id"
    )
    return [row["tens"] * 10 for row in rows]


async def test_the_last_word_is_what_people_see_while_the_task_runs(scene: Scene) -> None:
    (task,) = await scene.claimed()
    await scene.worker.note([LeaseNote(lease=task.lease, progress={"share": 0.2})])
    await scene.worker.note([LeaseNote(lease=task.lease, progress={"share": 0.5, "message": "half"})])
    await scene.worker.note([LeaseNote(lease=task.lease, longer_seconds=1.0)])
    during = await scene.reader.get_task(task.task_id)
    await scene.worker.settle(Settlement(completions=[Completion(lease=task.lease)]))
    after = await scene.reader.get_task(task.task_id)

    assert (during.progress, after.progress) == ({"share": 0.5, "message": "half"}, None)


async def test_an_extension_counts_from_now_never_shortens_and_stays_below_the_queues_own_bound(scene: Scene) -> None:
    await scene.policy(KindPolicy(kind="send", timeout_seconds=60), running_timeout_seconds=500)
    tasks = await scene.claimed(3)
    wanted = zip(tasks, (10.0, 200.0, 9_000.0), strict=True)
    await scene.worker.note([LeaseNote(lease=task.lease, longer_seconds=seconds) for task, seconds in wanted])

    assert await allowed_seconds(scene) == [60, 200, 500]


@pytest.mark.requirement("B2")
async def test_a_word_about_a_lost_lease_is_refused(scene: Scene) -> None:
    lost, kept = await scene.claimed(2)
    other = lost.lease._replace(token=scene.sessions[0])
    refused = await scene.worker.note([LeaseNote(lease=lease, progress={"share": 1.0}) for lease in (other, kept.lease)])

    assert tuple(refused) == (lost.task_id,)
    assert (await scene.reader.get_task(lost.task_id)).progress is None
