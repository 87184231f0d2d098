"""Rolling a filled database back and forward keeps every task, whatever its state; what a step cannot keep, it names first."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from taskfleet import AsyncProducer, NewTask, Task
from taskfleet.errors import MigrationError
from taskfleet.maintenance import run_once
from taskfleet.migrations import Migrator, known_migrations, newest_version
from taskfleet.models import ClaimedTask, KindPolicy, LeaseNote
from taskfleet.store import Database
from taskfleet.store.audit import AuditEntry, append_audit
from taskfleet.words import TaskState
from tests.integration.queue.scene import Scene, completed, failed
from tests.support.postgres import TestServer

HOLDING, SETTLE, NOTES, UPKEEP, SCHEDULES = 11, 12, 14, 15, 21
"""Migrations whose way back loses something."""

LOSSES = [(migration.version, loss.what) for migration in known_migrations() for loss in migration.losses]


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A database with a bit of everything, and what was in it."""

    url: str
    tasks: Mapping[str, Task]
    """By what they are: `waiting`, `delayed` …"""
    running: ClaimedTask


async def fill(url: str) -> tuple[Mapping[str, int], ClaimedTask]:
    """Put something into every relation, by the operations of producers, workers and operators; returns tasks by what they are."""
    async with Database(url) as database, AsyncProducer(url, queue="mail") as producer:
        scene = Scene(database=database)
        await scene.policy(
            KindPolicy(kind="send", max_attempts=2, max_backoff_seconds=7_200.0, min_backoff_seconds=3_600.0), stale_wait_seconds=7_200.0
        )
        await producer.pause_queue()
        await producer.resume_queue()
        ended = await finish_some(scene, producer)
        running = await run_one(scene, producer)
        await producer.schedule("nightly", "0 3 * * *", NewTask(kind="send"), time_zone="Europe/Berlin")
        async with database.connection() as connection:
            await append_audit(database, connection, AuditEntry(actor="ada", action="expire", outcome="done"))
        waiting = await let_wait(producer)
        return {**ended, **waiting, "running": running.task_id}, running


async def finish_some(scene: Scene, producer: AsyncProducer) -> Mapping[str, int]:
    names = ("succeeded", "with result", "too large", "dead", "cancelled", "tried")
    for name in names:
        await producer.enqueue("send", {"is": name}, wants_result=name in ("with result", "too large"), group="tenant", entity="user 7")
    session = await scene.session()
    tasks = dict(zip(names, (await scene.claim(session)).tasks, strict=True))
    await scene.rows("UPDATE taskfleet.queues SET max_result_bytes = 100")
    await scene.worker.settle(completed(tasks["succeeded"]))
    await scene.worker.settle(completed(tasks["with result"], result={"sum": 6}))
    await scene.worker.settle(completed(tasks["too large"], result="x" * 200))
    await scene.worker.settle(failed(tasks["tried"]))
    await scene.worker.settle(failed(tasks["dead"], retryable=False, missing_entity="user 9"))
    await producer.cancel(tasks["cancelled"].task_id)
    await scene.worker.settle(failed(tasks["cancelled"]))
    await run_once(scene.database)
    return {name: task.task_id for name, task in tasks.items()}


async def run_one(scene: Scene, producer: AsyncProducer) -> ClaimedTask:
    await producer.enqueue("send", {"is": "running"}, headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    session = await scene.session(lease_seconds=3_600)
    (running,) = (await scene.claim(session)).tasks
    await scene.worker.note([LeaseNote(lease=running.lease, progress={"share": 0.5})])
    await producer.cancel(running.task_id)
    return running


async def let_wait(producer: AsyncProducer) -> Mapping[str, int]:
    answers = {
        "waiting": await producer.enqueue("send", {"is": "waiting"}, priority=2, idempotency_key="once", max_attempts=9),
        "delayed": await producer.enqueue("send", {"is": "delayed"}, run_at=datetime(2099, 1, 1, tzinfo=UTC)),
        "paused": await producer.enqueue("send", {"is": "paused"}),
        "paused with its group": await producer.enqueue("send", {"is": "paused with its group"}, group="asleep"),
    }
    await producer.pause_task(answers["paused"].task_id)
    await producer.pause_group("asleep")
    return {name: answer.task_id for name, answer in answers.items()}


async def seen(url: str, ids: Mapping[str, int]) -> Mapping[str, Task]:
    async with AsyncProducer(url, queue="mail") as producer:
        return {name: await producer.get_task(task_id) for name, task_id in ids.items()}


@pytest.fixture(scope="module")
def original(postgres_server: TestServer) -> Iterator[Filled]:
    """Filled once; tests change copies of it."""
    with postgres_server.fresh_database() as url:
        ids, running = asyncio.run(fill(url))
        yield Filled(url=url, tasks=asyncio.run(seen(url, ids)), running=running)


@pytest.fixture
def filled(original: Filled, postgres_server: TestServer) -> Iterator[Filled]:
    """A filled database of this test's own."""
    with postgres_server.fresh_database(like=original.url) as url:
        yield replace(original, url=url)


def after(version: int, tasks: Mapping[str, Task]) -> Mapping[str, Task]:
    """The tasks as they are expected once the schema was at `version`: only what the steps name is gone."""
    expected = dict(tasks)
    if version < NOTES:
        expected["running"] = replace(expected["running"], progress=None)
    if version < HOLDING:
        for name in ("paused", "paused with its group"):
            expected[name] = replace(expected[name], state=TaskState.READY)
    return expected


@pytest.mark.requirement("C5")
@pytest.mark.parametrize("version", range(1, newest_version()))
async def test_a_filled_database_keeps_every_task_on_the_way_back_to_any_version_and_forward(filled: Filled, version: int) -> None:
    migrator = Migrator(filled.url)
    for step in range(newest_version() - 1, version - 1, -1):
        migrator.down(step, accept_loss=True)
    migrator.up()

    assert await seen(filled.url, {name: task.task_id for name, task in filled.tasks.items()}) == after(version, filled.tasks)
    async with Database(filled.url) as database, AsyncProducer(filled.url, queue="mail") as producer:
        scene = Scene(database=database)
        assert await scene.faults() == []
        assert (await producer.enqueue("send", idempotency_key="once")).task_id == filled.tasks["waiting"].task_id
        assert (await producer.enqueue("send")).task_id > max(task.task_id for task in filled.tasks.values())
        assert (await scene.worker.settle(completed(filled.running))).finished == (filled.running.task_id,)
        assert [schedule.name for schedule in await producer.list_schedules()] == (["nightly"] if version >= SCHEDULES else [])
        assert await scene.count("missing_entities") == 1


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(("version", "what"), LOSSES)
async def test_a_way_back_that_would_lose_something_names_it_and_changes_nothing(filled: Filled, version: int, what: str) -> None:
    migrator = Migrator(filled.url)
    before = migrator.status()

    with pytest.raises(MigrationError, match=rf"would lose .*{re.escape(what)} \({version:04}_\w+\).*nothing was changed"):
        migrator.down(version - 1)

    assert migrator.status() == before
    assert await seen(filled.url, {name: task.task_id for name, task in filled.tasks.items()}) == filled.tasks


@pytest.mark.requirement("C5")
def test_a_way_back_that_loses_nothing_needs_no_leave(database_url: str) -> None:
    migrator = Migrator(database_url)

    assert [migration.version for migration in migrator.down(1)] == list(range(newest_version(), 1, -1))


def test_the_page_of_the_schema_names_every_loss() -> None:
    page = Path("docs/schema.md").read_text(encoding="utf-8").partition("## Going back")[2].replace("`", "")

    for version, what in LOSSES:
        line = next(line for line in page.splitlines() if line.startswith(f"| {version:04}_"))
        assert what in line
