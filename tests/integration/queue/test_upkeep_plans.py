"""Sweeps read no more than a batch a call, at 20,000 waiting and 50,000 finished tasks, with statistics that say the queue is empty."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from taskfleet.store import Database
from tests.integration.queue.plans import watched
from tests.support.postgres import TestServer

pytestmark = [pytest.mark.requirement("A4", "A6")]

BATCH = 100
_FILLED = """
ALTER TABLE taskfleet.ready SET (autovacuum_enabled = off);
ALTER TABLE taskfleet.tasks SET (autovacuum_enabled = off);
INSERT INTO taskfleet.queues (name, policy_written_at) VALUES ('mail', now());
INSERT INTO taskfleet.kinds (queue_id, name) VALUES (1, 'send'), (1, 'resize');
ANALYZE;
WITH added AS (
    INSERT INTO taskfleet.tasks (kind_id, group_name)
    SELECT 1 + number % 2, CASE WHEN number % 1000 < 2 THEN 'rare' END FROM generate_series(1, 20000) AS number
    RETURNING id, kind_id
)
INSERT INTO taskfleet.ready (task_id, run_at, due_since, kind_id, priority)
SELECT
    id,
    -- Every fifth waits for another attempt; the others are on their first.
    CASE WHEN id % 5 = 0 THEN now() + interval '1 hour' ELSE now() - interval '3 days' + make_interval(secs => id) END,
    now() - interval '3 days' + make_interval(secs => CASE WHEN id % 5 = 0 THEN 0 ELSE id END),
    kind_id,
    5
FROM added;
INSERT INTO taskfleet.succeeded_tasks (id, created_at, started_at, finished_at, kind_id, attempt_count)
SELECT -number, now(), now(), now(), 1 + number % 2, 1 FROM generate_series(1, 50000) AS number;
"""
_ENDING = "ARRAY['failed', 'expired', 'TASK_EXPIRED', 'x']"
_BEFORE = "now() - interval '1 day'"


@pytest.fixture(scope="module")
def filled_url(postgres_server: TestServer) -> Iterator[str]:
    with postgres_server.fresh_database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_FILLED)
        yield url


@pytest.fixture
async def opened(filled_url: str) -> AsyncIterator["psycopg.AsyncConnection[Any]"]:
    """A connection whose changes do not stay."""
    async with Database(filled_url) as database, await database.connect() as connection:
        await connection.execute("BEGIN")
        yield connection
        await connection.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("call", "matched"),
    [
        pytest.param(f"sweep_waiting_v1(1, NULL, {_BEFORE}, false, '-infinity', 0, {BATCH}, {_ENDING})", BATCH, id="expire"),
        pytest.param(f"sweep_waiting_v1(1, NULL, {_BEFORE}, true, '-infinity', 0, {BATCH}, {_ENDING})", BATCH, id="expire what was tried"),
        pytest.param(f"sweep_waiting_v1(2, 'rare', {_BEFORE}, false, '-infinity', 0, {BATCH}, {_ENDING})", 1, id="expire a group"),
        pytest.param(
            f"sweep_waiting_v1(1, NULL, {_BEFORE}, false, now() - interval '70 hours', 9000, {BATCH}, NULL)",
            BATCH,
            id="dry run, further on",
        ),
        pytest.param(
            f"trim_succeeded_v1('succeeded_tasks_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD'), '{{1}}', -40000, {BATCH}, false)",
            BATCH // 2,
            id="trim successes",
        ),
    ],
)
async def test_sweep_reads_a_batch(opened: "psycopg.AsyncConnection[Any]", call: str, matched: int) -> None:
    async with watched(opened) as nodes:
        cursor = await opened.execute(f"SELECT matched FROM taskfleet.{call}".encode())
        row = await cursor.fetchone()

    assert row == (matched,)
    assert nodes
    assert [node for node in nodes if node.rows > 3 * BATCH] == []


_LATE_GROUP = """
INSERT INTO taskfleet.tasks (kind_id, group_name)
SELECT 1, CASE WHEN number % 2 = 0 THEN 'other' ELSE 'late' END FROM generate_series(1, 40000) AS number;
INSERT INTO taskfleet.paused_groups (queue_id, group_name, state, changed_at, entered) VALUES (1, 'late', 'pausing', now(), true);
ANALYZE taskfleet.tasks;
"""


@pytest.mark.requirement("C4")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(f"clear_v1('mail', NULL, 'late', 9223372036854775807, 0, {BATCH})", id="clear"),
        pytest.param(f"move_group_v1(1, 'late', {BATCH})", id="pause"),
    ],
)
async def test_walk_of_a_group_that_is_most_of_the_tasks_but_came_late_reads_a_batch(
    opened: "psycopg.AsyncConnection[Any]", call: str
) -> None:
    await opened.execute(_LATE_GROUP, prepare=False)
    async with watched(opened) as nodes:
        await opened.execute(f"SELECT * FROM taskfleet.{call}".encode())

    assert [node for node in nodes if node.relation == "tasks" and node.rows > 3 * BATCH] == []
    assert "tasks_by_group" in {node.index for node in nodes}
