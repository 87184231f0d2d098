"""A long transaction keeps vacuum from removing anything: claims do not walk what is dead."""

from collections.abc import Mapping
from uuid import UUID

import psycopg
import pytest

from taskfleet.maintenance import run_once
from taskfleet.models import KindPolicy
from taskfleet.store.rows.claims import claim_parameters
from tests.integration.queue.scene import Scene, completed

ROUNDS, BATCH = 30, 100


async def blocks_of_a_claim(scene: Scene, session: UUID) -> int:
    """Pages that a claim of ten tasks looks at, with fresh marks as a worker has them; the claim is rolled back."""
    await run_once(scene.database, ["fold_ledgers"])
    marks = await scene.worker.low_water_marks(scene.queue, kinds=["send"])
    parameters = claim_parameters(session, kinds=["send"], limit=10, marks=marks, stale_slots=0)
    await blocks_of(scene, scene.database.query("claim_tasks"), parameters)
    return await blocks_of(scene, scene.database.query("claim_tasks"), parameters)


async def blocks_of(scene: Scene, query: str, parameters: Mapping[str, object]) -> int:
    """Pages that a query looks at."""
    async with scene.database.connection() as connection, connection.transaction(force_rollback=True):
        row = await (await connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}".encode(), parameters)).fetchone()
    plan = (row or [[{}]])[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.requirement("A4")
async def test_a_pinned_snapshot_does_not_make_claims_read_more(scene: Scene, database_url: str) -> None:
    await scene.policy(KindPolicy(kind="send"))
    session = await scene.session()
    await scene.fill(BATCH, age=1)
    before = await blocks_of_a_claim(scene, session)

    with psycopg.connect(database_url) as pinned:
        pinned.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        pinned.execute("SELECT count(*) FROM taskfleet.ready")
        for number in range(ROUNDS):
            await scene.fill(BATCH, age=600 - 15 * number)
            await scene.worker.settle(completed(*(await scene.claim(session, limit=BATCH)).tasks))
        await scene.rows("VACUUM taskfleet.ready")
        after = await blocks_of_a_claim(scene, session)

    assert await scene.count("ready") == BATCH
    assert after <= 2 * before
