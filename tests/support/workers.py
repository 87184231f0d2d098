"""Workers for tests: in this process over a fake store, or as real processes over a real database."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from taskfleet.models import ClaimedTask
from taskfleet_worker.registry import Tasks
from taskfleet_worker.runtime.worker import Worker, WorkerStore
from taskfleet_worker.settings import DatabaseSettings, LoopSettings, WorkerSettings
from tests.support.processes import COMMANDS, Processes, RunningProcess

SETTINGS = WorkerSettings(
    database=DatabaseSettings(url="postgresql://nowhere/none"),
    worker_id="worker-1",
    concurrency=2,
    drain_seconds=5.0,
    loops=LoopSettings(poll_seconds=0.05, marks_seconds=0.1),
)


def claimed_task(task_id: int = 1, **changes: object) -> ClaimedTask:
    """A claimed task of kind `mail`, its first attempt of three."""
    task = ClaimedTask(
        task_id=task_id,
        token=UUID(int=task_id),
        kind="mail",
        payload={},
        headers=None,
        group=None,
        entity=None,
        priority=5,
        attempt=1,
        max_attempts=3,
        run_at=datetime(2026, 1, 1, tzinfo=UTC),
        waited_seconds=0.0,
        timeout_seconds=None,
        entity_missing=False,
    )
    return task._replace(**changes)  # type: ignore[arg-type]


@asynccontextmanager
async def running_worker(store: WorkerStore, tasks: Tasks, settings: WorkerSettings = SETTINGS) -> AsyncIterator[Worker]:
    """A worker that runs in this process; told to stop at the end, and stopped."""
    worker = Worker(store, tasks, settings)
    run = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop.asked.set()
        await run


def start_worker(
    processes: Processes, folder: Path, url: str, *, module: str, name: str = "handlers", environment: Mapping[str, str] | None = None
) -> RunningProcess:
    """A real worker process over handlers whose source is `module`."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(module, encoding="utf-8")
    given = {"TASKFLEET_DATABASE_URL": url, "TASKFLEET_CONNECT_TRIES": "1", **(environment or {})}
    return processes.start([COMMANDS / "taskfleet-worker", "run", "--tasks", name], environment=given, folder=folder)
