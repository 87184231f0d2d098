"""A queue in a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from taskfleet.store import Database
from tests.integration.queue.scene import Scene


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    async with Database(database_url, pool_size=30, connect_tries=2) as database:
        yield Scene(database=database)
