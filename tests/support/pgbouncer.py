"""A real PgBouncer in transaction mode before the tests' server."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
import pytest

from tests.support.postgres import TestServer
from tests.support.waiting import wait_until

_SERVER_CONNECTIONS = 3
"""Fewer than the clients of any test: that a client keeps its server connection from one transaction to the next is the exception."""


class PgBouncer:
    """The pooler, and the way through it to any database of the server."""

    def __init__(self, server: TestServer, folder: Path, port: int) -> None:
        self._server = urlsplit(server.url)
        self._port = port
        self.configuration = folder / "pgbouncer.ini"
        users = folder / "users.txt"
        users.write_text(f'"{self._server.username}" "{unquote(self._server.password or "")}"\n')
        self.configuration.write_text(
            f"""\
[databases]
* = host={self._server.hostname} port={self._server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = {_SERVER_CONNECTIONS}
max_client_conn = 200
server_idle_timeout = 1
ignore_startup_parameters = extra_float_digits, options
"""
        )

    def through(self, url: str) -> str:
        """The URL to the same database, through the pooler."""
        parts = urlsplit(url)
        return parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{self._port}").geturl()

    def answers(self) -> bool:
        try:
            psycopg.connect(self.through(self._server.geturl()), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@pytest.fixture(scope="session")
def pgbouncer(postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PgBouncer]:
    """PgBouncer in transaction mode, with three connections to each database."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not tested: install the package pgbouncer")
    folder = tmp_path_factory.mktemp("pgbouncer")
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    bouncer = PgBouncer(postgres_server, folder, port)
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([program, *_as_somebody_else(folder), bouncer.configuration], stdout=log, stderr=log)
    try:
        wait_until(bouncer.answers, within=10)
        yield bouncer
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _as_somebody_else(folder: Path) -> list[str]:
    """PgBouncer refuses to run as root."""
    if os.getuid() != 0:
        return []
    nobody = pwd.getpwnam("nobody")
    for path in (folder, *folder.iterdir()):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    # pytest's folders are for their owner alone; passing through shows nothing of what is in them.
    for parent in folder.parents:
        if not parent.stat().st_mode & 0o001 and parent.stat().st_uid == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    return ["-u", "nobody"]
