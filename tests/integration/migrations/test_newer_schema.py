"""Programs of this release over the schema of a newer one: they work where its migrations say so, and are refused where not."""

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taskfleet import NewTask, Producer
from taskfleet.errors import SchemaTooNewError
from taskfleet.migrations import Migrator, known_migrations, newest_version
from taskfleet.migrations import files as migration_files
from taskfleet.migrations.plan import MigrationState
from tests.support.command_line import CommandLine
from tests.support.processes import Processes
from tests.support.workers import start_worker

NEXT = newest_version() + 1

ADDITIVE = """
ALTER TABLE taskfleet.tasks ADD COLUMN tenant text;
ALTER TABLE taskfleet.leases ADD COLUMN weight integer NOT NULL DEFAULT 1;
ALTER TABLE taskfleet.sessions ADD COLUMN zone text;
ALTER TABLE taskfleet.dead_letters ADD COLUMN seen boolean;
ALTER TABLE taskfleet.succeeded_tasks ADD COLUMN cost double precision;
CREATE TABLE taskfleet.tenants (name text PRIMARY KEY);
CREATE FUNCTION taskfleet.complete_v9(ids bigint[], tokens uuid[]) RETURNS integer LANGUAGE sql RETURN 1;
"""

HANDLERS = """
import os
from taskfleet_worker import Tasks

tasks = Tasks()


@tasks.task("double")
async def double(payload: int) -> int:
    return 2 * payload


@tasks.task("broken")
async def broken() -> None:
    raise ValueError("it broke")
"""

Upgrade = Callable[[str], None]


@pytest.fixture
def upgrade(database_url: str, tmp_path: Path) -> Iterator[Upgrade]:
    """Brings the database to a release that has one migration more, with the given text; that release is nowhere else."""

    def bring(text: str) -> None:
        folder = tmp_path / "migrations"
        shutil.copytree(Path(migration_files.__file__).parent, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        (folder / f"{NEXT:04}_next.up.sql").write_text(text, encoding="utf-8")
        (folder / f"{NEXT:04}_next.down.sql").write_text("DROP TABLE taskfleet.tenants;\n", encoding="utf-8")
        Migrator(database_url, folder=folder).up()

    yield bring
    known_migrations.cache_clear()


@pytest.mark.requirement("C5")
def test_a_worker_and_a_producer_go_on_over_a_schema_that_only_gained(
    database_url: str, upgrade: Upgrade, processes: Processes, tmp_path: Path
) -> None:
    with Producer(database_url, queue="mail") as producer:
        before = producer.enqueue("double", 1, wants_result=True)
        early = start_worker(processes, tmp_path, database_url, module=HANDLERS, environment={"TASKFLEET_QUEUE": "mail"})
        assert producer.wait_for_result(before.task_id, timeout_seconds=20) == 2
        upgrade(f"-- works from: {NEXT - 1:04}\n{ADDITIVE}")

        # The worker that was there goes on, and one of this release starts anew.
        single = producer.enqueue("double", 21, wants_result=True)
        assert producer.wait_for_result(single.task_id, timeout_seconds=20) == 42
        early.send(signal.SIGTERM)
        assert early.wait(within=20) == 0
        late = start_worker(processes, tmp_path, database_url, module=HANDLERS, environment={"TASKFLEET_QUEUE": "mail"})
        many = producer.enqueue_many(NewTask(kind="double", payload=number, wants_result=True) for number in range(20))
        broken = producer.enqueue("broken", max_attempts=1)
        assert [producer.wait_for_result(one.task_id, timeout_seconds=20) for one in many] == [2 * number for number in range(20)]
        waiting = producer.enqueue("double", 1, delay_seconds=600)
        assert (producer.cancel(waiting.task_id).outcome, producer.retry(waiting.task_id).outcome) == ("cancelled", "retried")
        late.send(signal.SIGTERM)

        assert late.wait(within=20) == 0
        assert producer.get_task(broken.task_id).code == "TASK_EXECUTION_FAILED"


@pytest.mark.requirement("C5")
def test_this_release_finds_nothing_to_apply_and_nothing_wrong_but_does_not_take_back_what_it_does_not_know(
    database_url: str, upgrade: Upgrade, taskfleet: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", database_url)
    upgrade(f"-- works from: {NEXT - 1:04}\n{ADDITIVE}")
    known_migrations.cache_clear()
    applied, found = taskfleet("migrate", "up"), taskfleet("check", "-o", "json")

    assert applied.out == "nothing to apply: the schema is up to date\n"
    assert [(row["check"], row["severity"], row["found"]) for row in json.loads(found.out)] == [("schema", "warning", "it is newer")]
    assert Migrator(database_url).status()[-1].state is MigrationState.NEWER
    with pytest.raises(SchemaTooNewError, match=f"is at migration {NEXT}, this release knows {NEXT - 1}"):
        Migrator(database_url).down(1)


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="it says nothing"),
        pytest.param(f"-- works from: {NEXT:04}\n", id="it works from itself on"),
    ],
)
def test_a_worker_is_refused_by_a_newer_schema_that_does_not_say_it_works_with_it(
    database_url: str, upgrade: Upgrade, processes: Processes, tmp_path: Path, line: str
) -> None:
    upgrade(line + ADDITIVE)
    known_migrations.cache_clear()
    worker = start_worker(processes, tmp_path, database_url, module=HANDLERS)

    assert worker.wait(within=20) == 3
    assert f"schema 'taskfleet' is at migration {NEXT}, this release knows {NEXT - 1}: upgrade taskfleet here" in worker.output
    assert Migrator(database_url).status()[-1].state is MigrationState.UNKNOWN
    with pytest.raises(SchemaTooNewError):
        Migrator(database_url).up()
