"""Claim, settling and measuring read what they need and nothing else, at 88,000 waiting and 1,000,000 finished tasks.

With statistics that are fresh, with statistics that still say the queue is empty, and with plans that were made when it was.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from taskfleet.models import KindPolicy, NewSession
from taskfleet.store import Database, WorkerStore
from taskfleet.store.queries import load_queries
from taskfleet.store.rows.claims import claim_parameters
from tests.integration.queue.parameters import parameters_for
from tests.integration.queue.plans import Node, watched
from tests.integration.queue.scene import QUEUE, Scene
from tests.support.postgres import TestServer

pytestmark = pytest.mark.requirement("A4")

KINDS = ("send", "resize")
SESSION = UUID(int=1)
BATCH = 100
BIG = {"ready", "tasks", "leases", "held", "dead_letters", "idempotency_keys", "missing_entities"}

_FINISHED = """
INSERT INTO taskfleet.succeeded_tasks (id, created_at, started_at, finished_at, kind_id, attempt_count)
SELECT -number, now(), now(), now(), 1 + number % 2, 1 FROM generate_series(1, 1000000) AS number
"""
_WAITING = """
WITH added AS (
    INSERT INTO taskfleet.tasks (kind_id, payload, entity, idempotency_key, group_name)
    SELECT 1 + number % 2, '{"source": "https://example.org"}', 'entity-' || number % 5000, 'key-' || number, 'group-' || number % 50
    FROM generate_series(1, 88000) AS number
    RETURNING id, kind_id, idempotency_key
),
keyed AS (
    INSERT INTO taskfleet.idempotency_keys (kind_id, key, task_id) SELECT kind_id, idempotency_key, id FROM added
),
placed AS (
    INSERT INTO taskfleet.ready (task_id, run_at, due_since, kind_id, priority)
    SELECT id, now() - make_interval(secs => 100 + id * 3), now() - make_interval(secs => 100 + id * 3), kind_id, 3 + id % 3
    FROM added
    RETURNING kind_id, priority, run_at
)
INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
SELECT kind_id, priority, taskfleet.backlog_bucket(run_at, now()), count(*) FROM placed GROUP BY 1, 2, 3
"""
_DEAD = """
WITH added AS (
    INSERT INTO taskfleet.tasks (kind_id, payload, group_name)
    SELECT 1 + number % 2, '{"source": "https://example.org"}', 'group-' || number % 50 FROM generate_series(1, 50000) AS number
    RETURNING id, kind_id, group_name
)
INSERT INTO taskfleet.dead_letters (
    task_id, kind_id, state, reason, code, message, priority, attempt_count, due_since, failed_at, group_name, trace_id
)
SELECT
    id, kind_id, 'failed', 'non_retryable', 'CODE_' || id % 7, 'it broke', 5, 1, now(), now() - make_interval(secs => id % 1000),
    group_name, 'trace-' || id
FROM added
"""
_HELD = "(SELECT array_agg(task_id) AS ids, array_agg(token) AS tokens FROM (SELECT * FROM taskfleet.leases LIMIT 100) AS first) AS held"
_NO_VACUUM = """
DO $$
DECLARE relation regclass;
BEGIN
    FOR relation IN SELECT oid FROM pg_class WHERE relnamespace = 'taskfleet'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', relation);
    END LOOP;
END $$
"""


@pytest.fixture(scope="module")
def empty_url(postgres_server: TestServer) -> Iterator[str]:
    """A queue without tasks, whose statistics say so and stay so."""
    with postgres_server.fresh_database() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_NO_VACUUM)
            connection.execute("INSERT INTO taskfleet.queues (name) VALUES (%s)", [QUEUE])
            connection.execute("INSERT INTO taskfleet.kinds (queue_id, name) SELECT 1, unnest(%s::text[])", [list(KINDS)])
            connection.execute("ANALYZE")
        yield url


def copied(server: TestServer, url: str) -> Iterator[str]:
    """Another database with the same content."""
    name = f"{url.rpartition('/')[2]}_copy"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {url.rpartition('/')[2]}".encode())
        yield server.url_of(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="module")
def stale_url(empty_url: str) -> str:
    """88,000 tasks wait, 50,000 have failed, 1,000,000 are finished, the statistics know nothing of it."""
    with psycopg.connect(empty_url, autocommit=True) as connection:
        connection.execute(_FINISHED)
        connection.execute(_WAITING)
        connection.execute(_DEAD)
    return empty_url


@pytest.fixture(scope="module")
def fresh_url(postgres_server: TestServer, stale_url: str) -> Iterator[str]:
    """The same with statistics that know."""
    for url in copied(postgres_server, stale_url):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        yield url


async def trace(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
    """A page from the middle of a million."""
    await connection.execute(database.query("trace_tasks"), {"queue": QUEUE, "after": -500_000, "limit": BATCH})


Work = Callable[[psycopg.AsyncConnection[Any], Database], Coroutine[Any, Any, None]]


async def claim(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
    parameters = claim_parameters(SESSION, kinds=KINDS, limit=BATCH, marks=(), stale_slots=BATCH // 5)
    await connection.execute(database.query("claim_tasks"), parameters)


async def complete(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
    await connection.execute(f"SELECT FROM {_HELD}, taskfleet.complete_v1(held.ids, held.tokens, NULL)")


async def fail(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
    await connection.execute(
        f"SELECT FROM {_HELD},"
        " taskfleet.fail_v1(held.ids, held.tokens, array_fill('X'::text, ARRAY[100]), array_fill('X'::text, ARRAY[100]), NULL,"
        " array_fill(false, ARRAY[100]), array_fill('entity'::text, ARRAY[100]))"
    )


async def release(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
    await connection.execute(
        f"SELECT FROM {_HELD},"
        " taskfleet.release_v1(held.ids, held.tokens, array_fill('X'::text, ARRAY[100]), array_fill(0::double precision, ARRAY[100]))"
    )


async def expire(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
    await connection.execute("SELECT taskfleet.expire_waiting_v1(1, now() - interval '2 days', 100)")


async def some(connection: psycopg.AsyncConnection[Any], relation: str) -> list[int]:
    """Ids of as many tasks as a batch holds."""
    cursor = await connection.execute(f"SELECT array_agg(task_id) FROM (SELECT task_id FROM taskfleet.{relation} LIMIT 100) AS first")
    return (await cursor.fetchone() or ([],))[0] or []


def change(query: str, relation: str) -> Work:
    """A change of a batch of tasks; which they are is found out beforehand."""

    async def work(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
        await connection.execute(database.query(query), {"task_ids": await some(connection, relation)})

    work.__name__ = query
    return work


def dead_letters(query: str, **wanted: object) -> Work:
    """A page of dead letters."""
    nothing = dict.fromkeys(("kind", "group", "trace_id", "reason", "code", "task_ids", "before_at", "before_id"))

    async def work(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
        await connection.execute(database.query(query), {"queue": QUEUE, "limit": BATCH, **nothing, **wanted})

    work.__name__ = f"{query} by {', '.join(wanted) or 'nothing'}"
    return work


def clear(**wanted: object) -> Work:
    """A batch of a clear."""

    async def work(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
        parameters = {"queue": QUEUE, "kind": None, "group": None, "until_id": 10**9, "after_id": 0, "limit": BATCH, **wanted}
        await connection.execute(database.query("clear_waiting"), parameters)

    work.__name__ = f"clear by {', '.join(wanted) or 'nothing'}"
    return work


async def put_group_aside(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
    named = {"queue": QUEUE, "group": "group-7"}
    await connection.execute(database.query("pause_group"), named)
    for _ in range(3):
        await connection.execute(database.query("move_group"), {**named, "limit": BATCH})


async def bring_group_back(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
    named = {"queue": QUEUE, "group": "group-7"}
    await connection.execute(database.query("resume_group"), named)
    for _ in range(3):
        await connection.execute(database.query("move_group"), {**named, "limit": BATCH})


CHANGES: list[Work] = [
    change("cancel_tasks", "ready"),
    change("pause_tasks", "ready"),
    change("resume_tasks", "held"),
    change("retry_tasks", "dead_letters"),
    put_group_aside,
    bring_group_back,
    dead_letters("page_dead_letters"),
    dead_letters("page_dead_letters", kind="send"),
    dead_letters("page_dead_letters", group="group-7"),
    dead_letters("page_dead_letters", trace_id="trace-9"),
    dead_letters("find_dead_letters", task_ids=list(range(90_000, 90_100))),
    dead_letters("purge_dead_letters", group="group-7"),
    clear(),
    clear(group="group-9"),
]


async def measure(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
    await connection.execute(database.query("measure_queues"), {"queues": [QUEUE]})


async def marks(connection: psycopg.AsyncConnection[Any], database: Database) -> None:
    await connection.execute(database.query("low_water_marks"), {"queue": QUEUE, "kinds": list(KINDS)})


@pytest.fixture(params=["stale", "fresh", "generic"])
async def prepared(request: pytest.FixtureRequest) -> AsyncIterator[tuple[psycopg.AsyncConnection[Any], Database]]:
    """A connection to the full queue with one claim under lease: statistics stale, fresh, or fresh with generic plans forced."""
    url = request.getfixturevalue("stale_url" if request.param == "stale" else "fresh_url")
    async with Database(url) as database, await database.connect() as connection:
        if request.param == "generic":
            await connection.execute("SET plan_cache_mode = force_generic_plan")
        await open_session(database)
        while (await (await connection.execute("SELECT count(*) FROM taskfleet.leases")).fetchone() or (0,))[0] < 2 * BATCH:
            await claim(connection, database)
        yield connection, database


async def open_session(database: Database) -> None:
    session = NewSession(session_id=SESSION, queue=QUEUE, worker="plans", slots=1_000, kinds=KINDS, lease_seconds=3_600)
    await WorkerStore(database).open_session(session)


def big_reads(nodes: list[Node]) -> list[Node]:
    """Reads of relations that grow with the queue, of more rows than the batch needs."""
    return [node for node in nodes if (node.relation in BIG or node.relation.startswith("succeeded_tasks")) and node.rows > 3 * BATCH]


@pytest.mark.parametrize("work", [claim, complete, fail, release, expire, trace])
async def test_work_reads_no_more_than_its_batch(prepared: tuple[psycopg.AsyncConnection[Any], Database], work: Work) -> None:
    connection, database = prepared

    async with watched(connection) as nodes:
        await work(connection, database)

    assert nodes
    assert big_reads(nodes) == []


@pytest.mark.requirement("C3", "C4", "E9")
async def test_changes_and_lists_read_no_more_than_their_batch(prepared: tuple[psycopg.AsyncConnection[Any], Database]) -> None:
    connection, database = prepared

    wrong = {}
    for work in CHANGES:
        async with watched(connection) as nodes:
            await work(connection, database)
        wrong[work.__name__] = [node for node in big_reads(nodes) if "LIMIT 100) AS first" not in node.statement]

    assert {name: nodes for name, nodes in wrong.items() if nodes} == {}


async def test_claim_walks_the_index_of_each_lane(prepared: tuple[psycopg.AsyncConnection[Any], Database]) -> None:
    connection, database = prepared

    async with watched(connection) as nodes:
        await claim(connection, database)

    used = {(node.index, node.kind) for node in nodes if node.relation == "ready" and node.index}
    assert used == {("ready_by_priority", "Index Scan"), ("ready_by_age", "Index Scan")}


@pytest.mark.parametrize("work", [measure, marks])
async def test_measuring_reads_no_task_at_all(prepared: tuple[psycopg.AsyncConnection[Any], Database], work: Work) -> None:
    connection, database = prepared

    async with watched(connection) as nodes:
        await work(connection, database)

    read = {node.relation for node in nodes}
    assert "backlog_buckets" in read
    assert read & (BIG - {"leases"}) == set()
    assert not any(relation.startswith("succeeded_tasks") for relation in read)


KNOWN: dict[str, object] = {
    "queue": QUEUE,
    "queues": [QUEUE],
    "kinds": list(KINDS),
    "kind": None,
    "group": None,
    "after": None,
    "session": SESSION,
    "state": "failed",
    "limit": BATCH,
    "schema": "taskfleet",
    "task_id": 1,
    "mark_kinds": [],
    "mark_priorities": [],
    "mark_run_ats": [],
    "stale_slots": 20,
}
OF_ONE: dict[str, dict[str, object]] = {
    "pause_group": {"group": "group-7"},
    "save_state": {"state": Jsonb({})},
    "write_queue_policy": {"stale_share": 0.2},
    "fail_unserved": {"after_seconds": 300.0},
    "trim_succeeded": {"partition": f"succeeded_tasks_{datetime.now(UTC):%Y%m%d}"},
}
WITHOUT_PLAN = {"copy_held", "copy_ready", "copy_tasks"}
"""COPY has none."""
COUNTS = {"count_old_dead_letters", "dead_letter_stats", "inspect_ledgers"}
"""They count what is there, on purpose and rarely: a dry run, statistics for people, and the check of the ledgers against the truth."""
SORTED_WHILE_STALE = {"trim_kind_dead_letters", "list_dead_letters", "list_running", "list_waiting", "list_paused"}
"""Pages for people, and cleaning: while the statistics know nothing of the tasks, PostgreSQL sorts all of them, some 100 ms at 88,000."""
QUERIES = load_queries("taskfleet")


async def test_no_query_reads_more_than_its_batch(
    prepared: tuple[psycopg.AsyncConnection[Any], Database], request: pytest.FixtureRequest
) -> None:
    """Every file in sql/, the newest too: its parameters are found in the file itself."""
    connection, _ = prepared
    leased = await (await connection.execute("SELECT task_id, token FROM taskfleet.leases")).fetchall()
    held = leased[:BATCH]
    known = {**KNOWN, "task_ids": [row[0] for row in held], "tokens": [row[1] for row in held], "progresses": [None] * len(held)}
    excused = WITHOUT_PLAN | COUNTS | (SORTED_WHILE_STALE if request.node.callspec.params["prepared"] == "stale" else set())
    wrong: dict[str, list[Node]] = {}

    # What runs may be read as a whole, once for each kind, with the dead entries that queries before it left; but not once for each task.
    for name in sorted(set(QUERIES) - excused):
        async with watched(connection) as nodes, connection.transaction(force_rollback=True):
            await connection.execute(QUERIES[name], parameters_for(QUERIES[name], known | OF_ONE.get(name, {})) or None)
        if too_much := [node for node in big_reads(nodes) if node.rows > 5 * len(leased)]:
            wrong[name] = too_much

    assert wrong == {}


async def test_plans_made_on_an_empty_queue_stay_right_when_it_fills(scene: Scene) -> None:
    await scene.policy(*(KindPolicy(kind=kind) for kind in KINDS))
    await open_session(scene.database)
    await scene.rows(_NO_VACUUM)
    await scene.rows("ANALYZE")
    async with await scene.database.connect() as connection:
        for work in (claim, complete, fail, release, expire):
            await work(connection, scene.database)
        await scene.rows(_WAITING)
        wrong: list[Node] = []
        for work in (claim, claim, claim, claim, complete, fail, release, expire):
            async with watched(connection) as nodes:
                await work(connection, scene.database)
            wrong += big_reads(nodes)

    assert wrong == []
