"""For tests of handlers: run one as a worker would, without a database, or a whole worker in this process over one.

    told = asyncio.run(run_handler(tasks, "letter", {"reader": "ada"}))     # what the queue would be told

    pytest_plugins = ["taskfleet_worker.testing.plugin"]                    # in conftest.py: the fixture `taskfleet_worker`

Only what people use in their own tests may live here; the runtime itself needs none of it.
"""

from taskfleet_worker.testing.handlers import fake_task, run_batch, run_handler
from taskfleet_worker.testing.worker import RunningWorker

__all__ = ["RunningWorker", "fake_task", "run_batch", "run_handler"]
