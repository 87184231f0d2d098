"""The operator's way into databases, on real ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from taskfleet.errors import DatabaseUnreachableError, SchemaMissingError, StalePolicyError
from taskfleet.models import NewSession
from taskfleet.store import Database, OperatorStore, WorkerStore
from taskfleet_operator.api.conditions import ConditionReason
from taskfleet_operator.api.task_queue import TaskQueue
from taskfleet_operator.databases.link import DatabaseAccess, DatabaseLink, LinkSettings, QueueWrite
from taskfleet_operator.databases.links import DatabaseLinks
from taskfleet_operator.errors import SecretMissingError
from taskfleet_operator.loop.fleet import DrainMarks
from taskfleet_operator.loop.notebook import Notes
from taskfleet_operator.process.supervise import Vitals
from tests.integration.operator.gate import Mode, gate_to
from tests.support.postgres import TestServer
from tests.support.waiting import eventually
from tests.unit.operator.facts import decision, measurement, task_queue

QUEUE = task_queue("naps", kinds=[{"name": "nap", "maxConcurrent": 3}])
OTHER = task_queue("others")
LOCAL = LinkSettings(holder="here", exclusive=True)
CLUSTER = LinkSettings(holder="here")


@asynccontextmanager
async def link(url: str, settings: LinkSettings = CLUSTER, *, leads: bool = True, migrate: bool = False) -> AsyncIterator[DatabaseLink]:
    access = DatabaseAccess(url=url, migrate_url=url if migrate else None)
    made = DatabaseLink(access, settings, may_lead=lambda: leads)
    try:
        yield made
    finally:
        await made.close()


class Access:
    """Where URLs come from; may be changed."""

    def __init__(self, **urls: str | Exception) -> None:
        self.urls: dict[str, str | Exception] = urls
        self.distrusted: list[str] = []

    async def access_of(self, task_queue: TaskQueue) -> DatabaseAccess:
        url = self.urls[task_queue.key.name]
        if isinstance(url, Exception):
            raise url
        return DatabaseAccess(url=url)

    def distrust(self, task_queue: TaskQueue) -> None:
        self.distrusted.append(task_queue.key.name)


class Failures:
    def loop_failed(self, name: str) -> None:
        raise AssertionError(name)


@asynccontextmanager
async def links(access: Access, *, maintenance: bool = False) -> AsyncIterator[DatabaseLinks]:
    made = DatabaseLinks(access, CLUSTER, vitals=Vitals(), failures=Failures(), maintenance=maintenance)
    try:
        yield made
    finally:
        await made.close()


async def open_session(database: Database) -> UUID:
    session = uuid4()
    await WorkerStore(database).open_session(
        NewSession(session_id=session, queue="naps", worker="w", pod_uid="p", slots=1, kinds=["nap"], lease_seconds=60)
    )
    return session


@pytest.mark.requirement("B5")
async def test_first_look_writes_the_policy_and_measures_all_queues(database_url: str, connection: "psycopg.Connection[Any]") -> None:
    async with link(database_url) as made:
        sights = await made.look([QUEUE, OTHER])

    quotas = connection.execute("SELECT name, max_concurrent FROM taskfleet.kinds ORDER BY name").fetchall()
    assert {key.name: sight.measurement is not None for key, sight in sights.items()} == {"naps": True, "others": True}
    assert ("nap", 3) in quotas


async def test_marks_ceiling_decision_and_memory_reach_the_database(
    database: Database, database_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    record = Notes().record_due(decision(), measurement(queue="naps"), now=0, every=1)
    async with link(database_url) as made:
        await made.look([QUEUE])
        first, second = await open_session(database), await open_session(database)
        await made.write(QueueWrite(queue="naps", marks=DrainMarks(drain=(first, second)), slots=7, kind_slots={"nap": 1}))
        await made.write(QueueWrite(queue="naps", marks=DrainMarks(undrain=(second,)), slots=7, kind_slots={"nap": 1}, record=record))
        await made.write(QueueWrite(queue="naps", enforce=False, slots=None, state={"decided_at": 5.0}))
        marked = dict(connection.execute("SELECT id, draining FROM taskfleet.sessions").fetchall())
        sights = await made.look([QUEUE])
    async with link(database_url) as successor:
        saved = (await successor.look([QUEUE]))[QUEUE.key].saved
        once = (await successor.look([QUEUE]))[QUEUE.key].saved

    ceiling = connection.execute("SELECT ceiling_slots FROM taskfleet.queues WHERE name = 'naps'").fetchone()
    reasons = connection.execute("SELECT reason FROM taskfleet.decisions").fetchall()
    assert marked == {first: True, second: False}
    assert (ceiling, reasons) == ((7,), [("DeadlineDemand",)])
    assert sights[QUEUE.key].saved is None
    assert (saved, once) == ({"decided_at": 5.0}, None)


@pytest.mark.requirement("A2")
async def test_operator_that_lost_the_lead_writes_nothing(database: Database, database_url: str) -> None:
    async with link(database_url, leads=False) as made:
        await made.look([QUEUE])
        await OperatorStore(database).take_lead("another")

        with pytest.raises(StalePolicyError):
            await made.write(QueueWrite(queue="naps", slots=3))


async def test_operator_that_still_leads_raises_the_epoch_again(database: Database, database_url: str) -> None:
    async with link(database_url) as made:
        await made.look([QUEUE])
        taken = await OperatorStore(database).take_lead("an operator of other queues")
        await made.write(QueueWrite(queue="naps", slots=3))
        current = await OperatorStore(database).take_lead("a look")

    assert current == taken + 2


async def test_queue_is_held_by_one_local_operator_at_a_time(database_url: str) -> None:
    async with link(database_url, LOCAL) as second:
        async with link(database_url, LOCAL) as first:
            await first.look([QUEUE])
            both = await second.look([QUEUE, OTHER])
        # The server ends a session a moment after its client has gone.
        await eventually(lambda: _held(second))

    trouble = both[QUEUE.key].trouble
    assert trouble is not None
    assert trouble.reason is ConditionReason.QUEUE_HELD
    assert both[OTHER.key].measurement is not None


async def test_two_local_operators_of_one_database_do_not_refuse_each_other(database_url: str) -> None:
    async with link(database_url, LOCAL) as first, link(database_url, LOCAL) as second:
        await first.look([QUEUE])
        await second.look([OTHER])
        await first.write(QueueWrite(queue="naps", slots=3))
        await second.write(QueueWrite(queue="others", slots=3))


async def test_lock_that_was_lost_with_its_connection_is_no_lead(database_url: str) -> None:
    with gate_to(database_url) as gate:
        async with link(gate.url, LOCAL) as frozen, link(database_url, LOCAL) as other:
            await frozen.look([QUEUE])
            gate.turn(Mode.SHUT)
            await eventually(lambda: _held(other))
            await other.write(QueueWrite(queue="naps", slots=3))
            gate.turn(Mode.OPEN)

            with pytest.raises((StalePolicyError, DatabaseUnreachableError)):
                await frozen.write(QueueWrite(queue="naps", slots=9))


async def _held(made: DatabaseLink) -> bool:
    return (await made.look([QUEUE]))[QUEUE.key].measurement is not None


async def test_behind_a_pooler_no_lock_is_taken(database_url: str) -> None:
    pooled = LinkSettings(holder="here", exclusive=True, pooled=True)
    async with link(database_url, pooled) as first, link(database_url, pooled) as second:
        await first.look([QUEUE])

        assert (await second.look([QUEUE]))[QUEUE.key].measurement is not None


async def test_behind_a_pooler_the_lock_goes_past_it(database_url: str) -> None:
    pooled = LinkSettings(holder="here", exclusive=True, pooled=True)
    access = DatabaseAccess(url=database_url, direct_url=database_url)
    first, second = DatabaseLink(access, pooled), DatabaseLink(access, pooled)
    try:
        await first.look([QUEUE])
        sights = await second.look([QUEUE])
    finally:
        await first.close()
        await second.close()

    assert sights[QUEUE.key].measurement is None
    assert sights[QUEUE.key].trouble is not None


async def test_missing_schema_is_brought_by_who_may(empty_database_url: str) -> None:
    async with link(empty_database_url) as without:
        with pytest.raises(SchemaMissingError):
            await without.look([QUEUE])
        async with link(empty_database_url, migrate=True) as made:
            await made.look([QUEUE])
        sights = await without.look([QUEUE])

    assert sights[QUEUE.key].measurement is not None


async def test_two_task_queues_of_one_queue_are_told_apart(database_url: str) -> None:
    twin = task_queue("twin", queue="naps")
    async with links(Access(naps=database_url, twin=database_url)) as made:
        sights = await made.look([QUEUE, twin], within=5)

    trouble = sights[twin.key].trouble
    assert sights[QUEUE.key].measurement is not None
    assert trouble is not None
    assert trouble.reason is ConditionReason.QUEUE_CONFLICT
    assert "belongs to the older TaskQueue media/naps" in trouble.message


async def test_missing_secret_is_the_trouble_of_its_queue_alone(database_url: str) -> None:
    async with links(Access(naps=database_url, others=SecretMissingError("no Secret"))) as made:
        sights = await made.look([QUEUE, OTHER], within=5)

    trouble = sights[OTHER.key].trouble
    assert sights[QUEUE.key].measurement is not None
    assert trouble is not None
    assert trouble.reason is ConditionReason.SECRET_MISSING


async def test_stuck_database_is_waited_for_no_longer_than_allowed_and_used_again_when_it_answers(
    postgres_server: TestServer, database_url: str
) -> None:
    with postgres_server.fresh_database() as other, gate_to(other) as gate:
        async with links(Access(naps=database_url, others=gate.url)) as made:
            await made.look([QUEUE, OTHER], within=5)
            gate.turn(Mode.STUCK)
            stuck = await made.look([QUEUE, OTHER], within=0.3)
            gate.turn(Mode.OPEN)
            await eventually(lambda: _measured(made))

    trouble = stuck[OTHER.key].trouble
    assert stuck[QUEUE.key].measurement is not None
    assert trouble is not None
    assert trouble.message == "the database did not answer within 0.3 s"


async def _measured(made: DatabaseLinks) -> bool:
    sights = await made.look([QUEUE, OTHER], within=5)
    return OTHER.key in sights and sights[OTHER.key].measurement is not None


async def test_changed_password_is_read_anew_within_the_tick(database_url: str) -> None:
    wrong = (
        database_url.replace("://", "://nobody:wrong@", 1) if "@" not in database_url else database_url.replace("postgres:", "nobody:", 1)
    )
    access = Access(naps=wrong)

    def distrust(task_queue: TaskQueue) -> None:
        access.urls["naps"] = database_url

    access.distrust = distrust  # type: ignore[method-assign]
    async with links(access) as made:
        sights = await made.look([QUEUE], within=5)

    assert sights[QUEUE.key].measurement is not None


async def test_database_that_nobody_names_any_more_is_let_go(database_url: str, connection: "psycopg.Connection[Any]") -> None:
    def operators() -> int:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'taskfleet-operator' AND datname = current_database()"
        ).fetchone()
        assert row is not None
        return int(row[0])

    async with links(Access(naps=database_url), maintenance=True) as made:
        await made.look([QUEUE], within=5)
        during = operators()
        await asyncio.sleep(0)
        await made.look([], within=5)
        await eventually(lambda: operators() == 0)

    assert during > 0
