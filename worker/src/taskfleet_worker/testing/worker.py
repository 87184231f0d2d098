"""A whole worker in this process, in a thread beside the test: what is enqueued runs as it would in production."""

import asyncio
import threading
import time
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from taskfleet import Producer
from taskfleet.models import KindPolicy, QueuePolicy, Task
from taskfleet.store import OperatorStore, WorkerStore
from taskfleet.words import TaskState
from taskfleet_worker.registry import Tasks
from taskfleet_worker.runtime.worker import Worker
from taskfleet_worker.service import open_database
from taskfleet_worker.settings import DatabaseSettings, LoopSettings, WorkerSettings

FINISHED = (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED)


class RunningWorker:
    """A worker that runs until the end of the `with` block; failed attempts are tried again at once.

    The database has the schema (`taskfleet migrate up`); each worker should have a queue of its own.
    """

    def __init__(self, tasks: Tasks, url: str, *, queue: str = "test", concurrency: int = 4) -> None:
        self._tasks = tasks
        self._settings = WorkerSettings(
            database=DatabaseSettings(url=url),
            queue=queue,
            worker_id="test",
            concurrency=concurrency,
            drain_seconds=1.0,
            loops=LoopSettings(poll_seconds=0.05),
        )
        self._going: Future[tuple[Worker, asyncio.AbstractEventLoop]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="taskfleet-test-worker", daemon=True)
        self.producer = Producer(url, queue=queue)
        """Enqueues into the worker's queue."""

    def __enter__(self) -> Self:
        self._thread.start()
        self._going.result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        worker, loop = self._going.result()
        loop.call_soon_threadsafe(worker.stop.asked.set)
        self._thread.join()
        self.producer.close()

    def run(self, kind: str, payload: object = None, *, within: float = 10.0, **fields: Any) -> Task:
        """Enqueue a task (`fields` as of `Producer.enqueue`) and return it once it is finished, well or not, its result kept.

        Raises TimeoutError saying where it stands, if that takes longer than `within` seconds.
        """
        enqueued = self.producer.enqueue(kind, payload, **{"wants_result": True, **fields})
        return self.wait_for(enqueued.task_id, within=within)

    def wait_for(self, task_id: int, *, within: float = 10.0) -> Task:
        """The task once it is finished; raises TimeoutError as `run` does."""
        deadline = time.monotonic() + within
        while (task := self.producer.get_task(task_id)).state not in FINISHED:
            if time.monotonic() > deadline:
                raise TimeoutError(f"task {task_id} ({task.kind}) is {task.state} after {within:g} s, attempt {task.attempt_count}")
            time.sleep(0.01)
        return task

    async def _serve(self) -> None:
        try:
            async with open_database(self._settings.database) as database:
                await database.check_schema()
                kinds = [KindPolicy(kind=kind, min_backoff_seconds=0.0, max_backoff_seconds=0.0) for kind in self._tasks.handlers]
                await OperatorStore(database).write_policy(QueuePolicy(queue=self._settings.queue, kinds=kinds), epoch=None)
                worker = Worker(WorkerStore(database), self._tasks, self._settings)
                self._going.set_result((worker, asyncio.get_running_loop()))
                await worker.run()
                await worker.supervisor.stop()
        except BaseException as error:
            if not self._going.done():
                self._going.set_exception(error)
                return
            raise
