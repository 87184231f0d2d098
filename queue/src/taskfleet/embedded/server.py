"""An embedded PostgreSQL server: `initdb`, start, stop, and a URL to it."""

import atexit
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from taskfleet.embedded.account import programs_within_reach, server_account
from taskfleet.embedded.programs import find_programs
from taskfleet.errors import EmbeddedServerError

_LAUNCHER = Path(__file__).with_name("launcher.py")
_SUPERUSER = "postgres"
_PORT_TRIES = 5
"""A free port may be taken between our look and the server's."""
_SOCKET_PATH_BYTES = 107
"""The kernel's limit for the path of a unix socket."""


class EmbeddedServer:
    """A PostgreSQL server that lives no longer than this process, even when that is killed.

    with EmbeddedServer() as server:
        producer = taskfleet.Producer(server.url)

    `folder` keeps the data between runs; without one the server gets a temporary folder and leaves nothing behind. Only programs on this
    machine that know the random password can connect: the server listens on 127.0.0.1, or with `unix_socket` on a socket in its folder.
    As root it runs as `nobody`, in a folder that `nobody` may enter.

    Raises EmbeddedServerError, with the end of the server's log, when it cannot be started.
    """

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        options: Mapping[str, str] | None = None,
        port: int | None = None,
        unix_socket: bool = False,
        start_seconds: float = 60.0,
        stop_seconds: float = 30.0,
    ) -> None:
        self._temporary = folder is None
        self._asked_folder = None if folder is None else Path(folder)
        self._options = dict(options or {})
        self._asked_port = port
        self._unix_socket = unix_socket
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._account = server_account()
        self._folder = Path()
        self._port = 0
        self._password = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"port {self._port}" if self.running else "stopped"
        return f"EmbeddedServer({str(self._folder)!r}, {state})"

    @property
    def running(self) -> bool:
        """Whether the server process lives."""
        return self._keeper is not None and self._keeper.is_alive()

    @property
    def folder(self) -> Path:
        """Where data, log and password are; they are gone after stop() if the folder was temporary."""
        return self._folder

    @property
    def port(self) -> int:
        """The port on 127.0.0.1 (and in the name of the unix socket)."""
        return self._port

    @property
    def process_id(self) -> int | None:
        """The process id of the server, None when it does not run."""
        return self._process.pid if self.running and self._process else None

    @property
    def url(self) -> str:
        """The superuser's connection URL, password included."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The superuser's connection URL to one database of this server."""
        user = f"{_SUPERUSER}:{self._password}"
        if self._unix_socket:
            return f"postgresql://{user}@/{quote(database)}?host={quote(str(self._folder / 'socket'), safe='')}&port={self._port}"
        return f"postgresql://{user}@127.0.0.1:{self._port}/{quote(database)}"

    def start(self) -> Self:
        """Make the data folder if it is not there, start the server and wait until it takes connections."""
        if self.running:
            return self
        programs = find_programs()
        # A script that ends without stop() shall not leave its temporary folder behind.
        atexit.register(self.stop)
        try:
            self._prepare_folder()
            programs = programs_within_reach(programs, account=self._account, folder=self._folder)
            self._initialise(programs)
            self._start_on_some_port(programs)
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                message = f"PostgreSQL in {self._folder} could not be started: {error}"
                raise EmbeddedServerError(message) from error
            raise
        return self

    def stop(self) -> None:
        """Stop the server: open transactions are rolled back, a temporary folder is removed."""
        if self._process is not None and self._keeper is not None:
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                if not self._keeper.is_alive():
                    break
                self._process.send_signal(number)
                self._keeper.join(self._stop_seconds)
            self._process = self._keeper = None
        if self._temporary and self._folder != Path():
            shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def _prepare_folder(self) -> None:
        if self._asked_folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="taskfleet-"))
        else:
            self._folder = self._asked_folder.resolve()
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._account.require_entry(self._folder)
        if not (self._folder / "data").exists() and any(self._folder.iterdir()):
            message = f"folder {self._folder} holds other files: name an empty folder, or one that an embedded server made"
            raise EmbeddedServerError(message)
        self._account.hand_over(self._folder)
        sockets = self._folder / "socket"
        if self._unix_socket and len(os.fsencode(sockets / ".s.PGSQL.65535")) > _SOCKET_PATH_BYTES:
            message = f"folder {self._folder} is too deep for a unix socket ({_SOCKET_PATH_BYTES} bytes at most): choose a shorter path"
            raise EmbeddedServerError(message)
        sockets.mkdir(mode=0o700, exist_ok=True)
        self._account.hand_over(sockets)

    def _initialise(self, programs: Path) -> None:
        secret = self._folder / "password"
        if (self._folder / "data" / "PG_VERSION").exists():
            self._password = secret.read_text(encoding="ascii").strip()
            return
        self._password = secrets.token_hex(16)
        secret.touch(mode=0o600)
        secret.write_text(self._password + "\n", encoding="ascii")
        self._account.hand_over(secret)
        command = [str(programs / "initdb"), "--pgdata", str(self._folder / "data"), "--username", _SUPERUSER, "--pwfile", str(secret)]
        command += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"]
        made = subprocess.run(self._launched(command), capture_output=True, env=_environment(), cwd=self._folder, check=False)
        if made.returncode != 0:
            # A half-made folder would be taken for a finished one at the next start.
            shutil.rmtree(self._folder / "data", ignore_errors=True)
            said = (made.stdout + made.stderr).decode(errors="replace")
            message = f"initdb could not make {self._folder / 'data'}:\n{_end_of(said)}"
            raise EmbeddedServerError(message)

    def _start_on_some_port(self, programs: Path) -> None:
        for tries_left in reversed(range(_PORT_TRIES if self._asked_port is None else 1)):
            self._port = self._asked_port or _free_port()
            log = self._folder / "log"
            self._spawn(programs, log)
            if self._wait_until_ready():
                return
            said = log.read_text(encoding="utf-8", errors="replace")
            if tries_left and "Address already in use" in said:
                continue
            message = f"PostgreSQL in {self._folder} did not start on port {self._port}; the end of its log:\n{_end_of(said)}"
            raise EmbeddedServerError(message)

    def _spawn(self, programs: Path, log: Path) -> None:
        command = [str(programs / "postgres"), "-D", str(self._folder / "data")]
        for name, value in (self._own_options() | self._options).items():
            command += ["-c", f"{name}={value}"]
        started: Future[subprocess.Popen[bytes]] = Future()

        def keep() -> None:
            try:
                with log.open("wb") as output:
                    process = subprocess.Popen(
                        self._launched(command, end_with_parent=True),
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=_environment(),
                        cwd=self._folder,
                        start_new_session=True,
                    )
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                started.set_exception(error)
                return
            started.set_result(process)
            process.wait()

        # To the kernel the parent is the thread that forked: a thread that ends would take the server along, so one of our own stays.
        self._keeper = threading.Thread(target=keep, name="embedded-postgres", daemon=True)
        self._keeper.start()
        self._process = started.result()

    def _own_options(self) -> dict[str, str]:
        return {
            "port": str(self._port),
            "listen_addresses": "" if self._unix_socket else "127.0.0.1",
            "unix_socket_directories": str(self._folder / "socket") if self._unix_socket else "",
            "logging_collector": "off",
            "log_timezone": "UTC",
            "timezone": "UTC",
        }

    def _wait_until_ready(self) -> bool:
        deadline = time.monotonic() + self._start_seconds
        while self.running and time.monotonic() < deadline:
            if self._says_ready():
                return True
            time.sleep(0.02)
        return False

    def _says_ready(self) -> bool:
        try:
            lines = (self._folder / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        # The first line is the process, the eighth its state; an older server's file may still be there.
        return len(lines) >= 8 and self._process is not None and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"

    def _launched(self, command: list[str], *, end_with_parent: bool = False) -> list[str]:
        # SIGQUIT: the server ends at once and recovers from its log at the next start; a checkpoint could outlast its parent by long.
        number = int(signal.SIGQUIT) if end_with_parent else 0
        who = (str(os.getpid()), str(self._account.user), str(self._account.group), str(number))
        return [sys.executable, "-I", "-S", str(_LAUNCHER), *who, *command]


def _environment() -> dict[str, str]:
    """Ours without what would change the server (PGDATA, PGPORT and the like) or the language of its log."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end_of(text: str, *, lines: int = 15) -> str:
    return "\n".join(text.strip().splitlines()[-lines:]) or "(empty)"
