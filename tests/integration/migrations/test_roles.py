"""The rights of the four roles: each does its own work under them, and is refused what belongs to others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg import errors
from psycopg.sql import SQL, Identifier

from taskfleet import NewTask, Producer
from taskfleet.errors import MigrationError, SettingsError
from taskfleet.maintenance import MaintenanceSettings, run_once
from taskfleet.migrations import RoleNames, apply_roles, roles_sql
from taskfleet.migrations.drift import expected_objects
from taskfleet.migrations.roles import RIGHTS
from taskfleet.models import KindPolicy
from taskfleet.store import Database
from tests.integration.migrations.roles import Url
from tests.integration.queue.scene import Scene, completed, failed, released


@asynccontextmanager
async def scene_at(url: str) -> AsyncIterator[Scene]:
    async with Database(url, connect_tries=1) as database:
        yield Scene(database=database)


def refused(url: str, *statements: str) -> dict[str, bool]:
    answers = {}
    with psycopg.connect(url) as connection:
        for statement in statements:
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(statement.encode())
            answers[statement] = isinstance(caught.value, errors.InsufficientPrivilege)
            connection.rollback()
    return answers


def test_every_relation_is_somebodys() -> None:
    tables = {name.removeprefix("table ") for name in expected_objects() if name.startswith("table ")}

    assert tables - {relation for rights in RIGHTS.values() for relation in rights} == set(), "say in roles.py who may do what with it"


@pytest.mark.requirement("E3")
def test_a_producer_enqueues_looks_and_cannot_claim(url_of: Url) -> None:
    with Producer(url_of("producer"), queue="mail") as producer:
        task_id = producer.enqueue("send", 1, group="g", idempotency_key="k").task_id
        producer.enqueue_many([NewTask(kind="other", idempotency_key=str(number)) for number in range(3)])

        assert (producer.get_task(task_id).state, producer.length()) == ("ready", 4)
        assert producer.enqueue("send", idempotency_key="k").duplicate
    with psycopg.connect(url_of("producer")) as connection:
        connection.execute("SELECT * FROM taskfleet.enqueue('mail', 'third')")
        connection.execute("SELECT * FROM taskfleet.cancel_v1(ARRAY[%s])", [task_id])
        connection.commit()
    answers = refused(
        url_of("producer"),
        "SELECT taskfleet.open_session(gen_random_uuid(), 'mail', 'w', 1, '{send}')",
        "INSERT INTO taskfleet.leases SELECT FROM taskfleet.ready",
        "UPDATE taskfleet.queues SET max_length = NULL",
        "INSERT INTO taskfleet.kinds (queue_id, name, max_concurrent) VALUES (1, 'x', 9)",
        "DELETE FROM taskfleet.succeeded_tasks",
        "CREATE TABLE taskfleet.mine ()",
    )
    assert answers == dict.fromkeys(answers, True)


@pytest.mark.requirement("B2")
async def test_a_worker_works_and_maintains_and_changes_no_policy(url_of: Url, database_url: str) -> None:
    with Producer(database_url, queue="mail") as producer:
        producer.enqueue_many(NewTask(kind="send", payload=number, entity="e") for number in range(8))
    async with scene_at(url_of("worker")) as scene:
        session = await scene.session()
        first, second, third, fourth, *rest = (await scene.claim(session, limit=8)).tasks
        await scene.worker.settle(completed(first))
        await scene.worker.settle(failed(second, missing_entity="e"))
        await scene.worker.settle(failed(third, retryable=False))
        await scene.worker.settle(released(fourth))
        await scene.worker.low_water_marks("mail", kinds=["send"])
        beat = await scene.worker.heartbeat(session, held=[task.lease for task in rest])
        await scene.worker.mark_drained(session)
        await scene.worker.close_session(session)
        handled = await run_once(scene.database)
    answers = refused(
        url_of("worker"),
        "UPDATE taskfleet.queues SET paused = true",
        "UPDATE taskfleet.kinds SET max_concurrent = 1000",
        "INSERT INTO taskfleet.queues (name, max_length) VALUES ('x', 1)",
        "UPDATE taskfleet.leadership SET epoch = 9",
        "DELETE FROM taskfleet.queues",
        "DROP TABLE taskfleet.succeeded_tasks",
        "DELETE FROM taskfleet.migrations",
    )

    assert beat.known
    assert handled["fold_ledgers"] > 0
    assert answers == dict.fromkeys(answers, True)


async def test_an_operator_measures_leads_and_maintains_and_cannot_claim(url_of: Url, database_url: str) -> None:
    with Producer(database_url, queue="mail") as producer:
        producer.enqueue("send")
    async with scene_at(url_of("operator")) as scene:
        epoch = await scene.operator.take_lead("here")
        await scene.operator.write_ceiling("mail", slots=3, epoch=epoch)
        await scene.policy(KindPolicy(kind="send", max_concurrent=2), max_concurrent=7)
        await scene.operator.save_state("mail", {"a": 1}, epoch=epoch)
        await scene.operator.mark_draining([], draining=True, epoch=epoch)
        await scene.database.check_schema()
        measured = await scene.operator.measure(["mail"])
        state = await scene.operator.load_state("mail")
        await run_once(scene.database)
    answers = refused(
        url_of("operator"),
        "SELECT taskfleet.open_session(gen_random_uuid(), 'mail', 'w', 1, '{send}')",
        "INSERT INTO taskfleet.leases SELECT FROM taskfleet.ready",
        "DELETE FROM taskfleet.queues",
    )

    assert (list(measured), state) == (["mail"], {"a": 1})
    assert answers == dict.fromkeys(answers, True)


_OLD_DAYS = """
SELECT taskfleet.create_partitions_v1(current_date - 60, 2);
INSERT INTO taskfleet.queues (name) VALUES ('mail');
INSERT INTO taskfleet.kinds (queue_id, name) SELECT id, 'send' FROM taskfleet.queues;
INSERT INTO taskfleet.succeeded_tasks (id, created_at, started_at, finished_at, kind_id, attempt_count)
SELECT 1, now() - interval '60 days', now() - interval '60 days', now() - interval '60 days', id, 1 FROM taskfleet.kinds;
INSERT INTO taskfleet.state_ledger (kind_id, state, delta) SELECT id, 'succeeded', 1 FROM taskfleet.kinds;
INSERT INTO taskfleet.audit_log (at, actor, action, outcome) VALUES (now() - interval '60 days', 'ada', 'retry', 'done');
"""


@pytest.fixture
def old_days(database_url: str) -> set[str]:
    """Six days that nobody keeps, one of them with an audit entry; returns the names of their partitions."""
    before = partitions_of(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_OLD_DAYS)
    return partitions_of(database_url) - before


def partitions_of(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_[0-9]{8}$'")}


@pytest.mark.requirement("D2")
@pytest.mark.parametrize("role", ["worker", "operator"])
async def test_days_that_nobody_keeps_are_dropped_under_the_roles_of_maintenance(
    url_of: Url, database_url: str, old_days: set[str], role: str
) -> None:
    before = partitions_of(database_url)
    async with scene_at(url_of(role)) as scene:
        first = await run_once(scene.database, ["drop_old_partitions"])
    async with scene_at(database_url) as scene:
        faults = await scene.faults()
    gone = before - partitions_of(database_url)

    # Six days: the one with an audit entry stays until somebody who may read it has forgotten that.
    assert first == {"drop_old_partitions": 5}
    assert (gone, len(old_days - gone)) == (gone & old_days, 1)
    assert faults == []
    async with scene_at(url_of("ops")) as scene:
        forgotten = await run_once(scene.database, ["trim_audit"])
    async with scene_at(url_of(role)) as scene:
        last = await run_once(scene.database, ["drop_old_partitions"])
    assert (forgotten, last) == ({"trim_audit": 1}, {"drop_old_partitions": 1})
    assert partitions_of(database_url) & old_days == set()


@pytest.mark.requirement("D2")
async def test_nobody_can_have_a_day_dropped_that_is_kept_or_is_none(url_of: Url, database_url: str, old_days: set[str]) -> None:
    before = partitions_of(database_url)
    with psycopg.connect(database_url) as connection:
        (today,) = connection.execute("SELECT to_char(current_date, 'YYYYMMDD')").fetchone() or ("",)
        connection.execute("UPDATE taskfleet.queues SET succeeded_retention_seconds = 8640000")
    named = [f"{relation}_{today}" for relation in ("attempts", "succeeded_tasks", "audit_log")]
    with psycopg.connect(url_of("worker")) as connection:
        answers = [
            connection.execute("SELECT taskfleet.drop_day_v1(%s, -1e9)", [name]).fetchone()
            for name in [*named, *old_days, "tasks", "leases", ""]
        ]

    empty_audit = [name for name in old_days if name.startswith("audit_log")]
    assert len([answer for answer in answers if answer != (None,)]) == len(empty_audit) - 1
    assert len(before - partitions_of(database_url)) == len(empty_audit) - 1


@pytest.mark.requirement("D2")
async def test_a_day_that_is_read_is_left_for_the_next_run_under_a_role_too(url_of: Url, database_url: str, old_days: set[str]) -> None:
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM taskfleet.attempts")
        async with scene_at(url_of("worker")) as scene:
            handled = await run_once(scene.database, ["drop_old_partitions"], settings=MaintenanceSettings(drop_lock_seconds=0.05))

    assert handled == {"drop_old_partitions": 3}
    assert len([name for name in old_days & partitions_of(database_url) if name.startswith("attempts")]) == 2


async def test_ops_reads_and_mends_everything_but_changes_no_relation(url_of: Url) -> None:
    async with scene_at(url_of("ops")) as scene:
        await scene.policy(max_length=5)
        task, *_ = await scene.claimed(2)
        await scene.worker.settle(failed(task, retryable=False))
        await scene.reader.stats("mail")
        await scene.reader.trend("mail")
        await scene.reader.report("mail")
        await run_once(scene.database)

        assert (await scene.reader.get_task(task.task_id)).state == "failed"
    answers = refused(url_of("ops"), "DELETE FROM taskfleet.migrations", "DROP TABLE taskfleet.tasks", "CREATE TABLE taskfleet.mine ()")
    assert answers == dict.fromkeys(answers, True)


def test_granting_again_takes_back_what_was_granted_beside_it(database_url: str, names: RoleNames, url_of: Url) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(SQL("GRANT UPDATE ON taskfleet.queues TO {}").format(Identifier(names.producer)))
    apply_roles(database_url, names=names)

    assert refused(url_of("producer"), "UPDATE taskfleet.queues SET paused = true") == {"UPDATE taskfleet.queues SET paused = true": True}


def test_who_may_not_grant_is_told_and_nothing_is_changed(url_of: Url) -> None:
    with pytest.raises(MigrationError, match="roles for schema 'taskfleet' were not granted, nothing was changed: permission denied"):
        apply_roles(url_of("producer"))


@pytest.mark.parametrize("name", ["", "public", "none", "pg_mine", "x" * 64])
def test_a_name_that_no_role_can_have_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="cannot be used: 1 to 63 bytes"):
        roles_sql(names=RoleNames(worker=name))
