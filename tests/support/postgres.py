"""PostgreSQL for tests: one server a session, one migrated template, one database a test.

The server is the embedded one, or the one that TASKFLEET_TEST_DATABASE_URL names (its user must be allowed to create databases).
TASKFLEET_TEST_POSTGRES names a folder with the programs of another version to embed, such as /usr/lib/postgresql/15/bin.
"""

import itertools
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from taskfleet.embedded import EmbeddedServer
from taskfleet.migrations import Migrator

if TYPE_CHECKING:
    from taskfleet.store import Database

FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
}
"""A test's data need not survive the machine."""


MEMORY = Path("/dev/shm")
"""A file system in memory, as Linux has it: copying the template of a database takes two thirds of the time there."""
_ROOM_BYTES = 8 * 2**30


def _has_room(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= _ROOM_BYTES


@dataclass(kw_only=True)
class TestServer:
    """The session's server, and the databases that tests make on it."""

    __test__ = False

    url: str
    """To the server's own database, as a user who may create others."""
    _template: str | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url_of(self, database: str) -> str:
        """The URL to another database of the server."""
        return urlsplit(self.url)._replace(path=f"/{database}").geturl()

    @contextmanager
    def fresh_database(self, *, migrated: bool = True, like: str | None = None) -> Iterator[str]:
        """A database of its own, a copy of the database at URL `like` if one is given; gone afterwards, whoever is still connected."""
        name = self._new_name()
        template = urlsplit(like).path.strip("/") if like else self.template() if migrated else "template1"
        self._execute("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, template)
        try:
            yield self.url_of(name)
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def template(self) -> str:
        """The name of the migrated template, made at first use. Nobody may connect to it: a connection would forbid copying it."""
        if self._template is None:
            name = self._new_name()
            self._execute("CREATE DATABASE {}", name)
            Migrator(self.url_of(name), connect_tries=1).up()
            self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
            self._template = name
        return self._template

    def drop_template(self) -> None:
        """Leave a server that is not ours as it was."""
        if self._template is not None:
            self._execute("DROP DATABASE {} WITH (FORCE)", self._template)

    def _new_name(self) -> str:
        return f"taskfleet_test_{os.getpid()}_{next(self._numbers)}"

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(SQL(statement).format(*(Identifier(name) for name in names)))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[TestServer]:
    """One PostgreSQL server for the whole session (for each process, under xdist)."""
    given = os.environ.get("TASKFLEET_TEST_DATABASE_URL")
    if given:
        server = TestServer(url=given)
        yield server
        server.drop_template()
    else:
        with pytest.MonkeyPatch.context() as patch:
            if programs := os.environ.get("TASKFLEET_TEST_POSTGRES"):
                patch.setattr("taskfleet.embedded.server.find_programs", lambda: Path(programs))
            if _has_room(MEMORY):
                patch.setattr("tempfile.tempdir", str(MEMORY))
            embedded = EmbeddedServer(options=FAST)
            embedded.start()
        with embedded:
            yield TestServer(url=embedded.url)


@pytest.fixture
def database_url(postgres_server: TestServer) -> Iterator[str]:
    """The URL of a migrated database of this test's own."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture
def empty_database_url(postgres_server: TestServer) -> Iterator[str]:
    """The URL of a database of this test's own, without the schema."""
    with postgres_server.fresh_database(migrated=False) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator["Database"]:
    """The store's way into this test's database, open."""
    from taskfleet.store import Database

    async with Database(database_url) as opened:
        yield opened


@pytest.fixture
def connection(database_url: str) -> Iterator["psycopg.Connection[Any]"]:
    """A plain autocommit connection to this test's database, to look at it from outside."""
    with psycopg.connect(database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that refuses connections: bound, so that nobody else gets it, but not listening."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
