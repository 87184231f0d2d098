"""The rights of the four roles: each does its own work under them, and is refused what belongs to others."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg import errors
from psycopg.sql import SQL, Identifier

from taskfleet import NewTask, Producer
from taskfleet.errors import MigrationError, SettingsError
from taskfleet.maintenance import run_once
from taskfleet.migrations import RoleNames, apply_roles, roles_sql
from taskfleet.migrations.drift import expected_objects
from taskfleet.migrations.roles import RIGHTS
from taskfleet.models import KindPolicy
from taskfleet.store import Database
from tests.integration.queue.scene import Scene, completed, failed, released

Url = Callable[[str], str]


@pytest.fixture
def names(database_url: str) -> Iterator[RoleNames]:
    """Roles of this test's own, granted: roles belong to the whole server."""
    own = urlsplit(database_url).path.strip("/").removeprefix("taskfleet_test_")
    names = RoleNames(producer=f"p {own}", worker=f"w {own}", operator=f"o {own}", ops=f"a {own}")
    apply_roles(database_url, names=names)
    yield names
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name in (names.producer, names.worker, names.operator, names.ops):
            connection.execute(SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(Identifier(name)))


@pytest.fixture
def url_of(database_url: str, names: RoleNames) -> Url:
    """The URL on which every session has the rights of one role only."""

    def made(role: str) -> str:
        name = getattr(names, role).replace(" ", r"\ ")
        return f"{database_url}?options={quote(f'-c role={name}')}"

    return made


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
