import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from taskfleet.embedded import EmbeddedServer, server
from taskfleet.errors import EmbeddedServerError
from tests.support.processes import Processes
from tests.support.waiting import wait_until

QUICK = {"fsync": "off"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter, with a short path; pytest's own is closed to others."""
    with tempfile.TemporaryDirectory(prefix="taskfleet-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made) / "server"


def answer(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question.encode()).fetchone()
        return None if row is None else row[0]


def test_a_server_without_a_folder_takes_connections_and_leaves_nothing_behind() -> None:
    with EmbeddedServer(options=QUICK) as running:
        made, process = running.folder, running.process_id
        found = answer(running.url, "SHOW fsync")

    assert found == "off"
    assert process is not None
    assert (made.exists(), psutil.pid_exists(process), running.running, running.process_id) == (False, False, False, None)


def test_data_and_password_stay_in_a_folder_of_ones_own(folder: Path) -> None:
    with EmbeddedServer(folder, options=QUICK) as first, psycopg.connect(first.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
        password = first.url
    with EmbeddedServer(folder, options=QUICK) as second:
        found = answer(second.url, "SELECT value FROM kept")

    assert found == 42
    assert password.split("@")[0] == second.url.split("@")[0]


def test_only_who_knows_the_password_gets_in_and_only_from_this_machine() -> None:
    with EmbeddedServer(options=QUICK) as running:
        address = f"postgresql://postgres:guessed@127.0.0.1:{running.port}/postgres"
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(address)

        assert answer(running.url, "SHOW listen_addresses") == "127.0.0.1"
        assert running.url.split("@")[0].split(":")[2] not in repr(running)


def test_the_server_is_never_root_and_neither_are_its_files() -> None:
    with EmbeddedServer(options=QUICK) as running:
        process = psutil.Process(running.process_id)

        assert process.uids().real != 0
        assert process.uids().real == (running.folder / "data").stat().st_uid
        assert running.folder.stat().st_mode & 0o077 == 0


def test_a_unix_socket_instead_of_a_port(folder: Path) -> None:
    with EmbeddedServer(folder, options=QUICK, unix_socket=True) as running:
        assert answer(running.url, "SELECT inet_server_addr() IS NULL") is True
        assert answer(running.url, "SHOW listen_addresses") == ""


def test_a_folder_too_deep_for_a_unix_socket_is_refused(folder: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="too deep for a unix socket"):
        EmbeddedServer(folder / ("x" * 90), unix_socket=True).start()


def test_starting_twice_and_stopping_twice_is_once(folder: Path) -> None:
    running = EmbeddedServer(folder, options=QUICK).start()
    process = running.process_id
    running.start()

    assert running.process_id == process
    running.stop()
    running.stop()
    assert not running.running


@pytest.mark.requirement("E10")
def test_an_occupied_port_is_named_with_the_end_of_the_log(folder: Path) -> None:
    with socket.socket() as occupier:
        occupier.bind(("127.0.0.1", 0))
        occupier.listen()
        port = occupier.getsockname()[1]

        with pytest.raises(EmbeddedServerError, match=rf"did not start on port {port}; the end of its log:\n(.|\n)*Address already in use"):
            EmbeddedServer(folder, port=port, options=QUICK).start()


def test_a_free_port_that_is_taken_meanwhile_is_replaced_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    free_port = server._free_port
    with socket.socket() as occupier:
        occupier.bind(("127.0.0.1", 0))
        occupier.listen()
        ports = [occupier.getsockname()[1]]
        monkeypatch.setattr(server, "_free_port", lambda: ports.pop() if ports else free_port())

        with EmbeddedServer(options=QUICK) as running:
            assert answer(running.url, "SELECT 1") == 1


def test_a_wrong_option_shows_what_the_server_said(folder: Path) -> None:
    running = EmbeddedServer(folder, options={"shared_buffers": "much"})

    with pytest.raises(EmbeddedServerError, match='invalid value for parameter "shared_buffers": "much"'):
        running.start()
    assert not running.running


def test_a_folder_with_other_files_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")

    with pytest.raises(EmbeddedServerError, match="holds other files: name an empty folder"):
        EmbeddedServer(folder).start()

    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


def test_an_initdb_that_fails_is_quoted_and_leaves_no_half_made_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = folder.parent / "bin"
    programs.mkdir(mode=0o755)
    (programs / "initdb").write_text("#!/bin/sh\nmkdir data\necho no room on the disk >&2\nexit 1\n")
    (programs / "initdb").chmod(0o755)
    (programs / "postgres").touch(mode=0o755)
    monkeypatch.setattr(server, "find_programs", lambda: programs)

    with pytest.raises(EmbeddedServerError, match=r"initdb could not make .*data:\nno room on the disk"):
        EmbeddedServer(folder).start()

    assert not (folder / "data").exists()


def test_a_server_that_is_not_ready_in_time_is_ended(folder: Path) -> None:
    running = EmbeddedServer(folder, start_seconds=0.0, options=QUICK)

    with pytest.raises(EmbeddedServerError, match="did not start on port"):
        running.start()

    assert not running.running


def test_a_server_that_cannot_even_be_executed_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").touch()
    (folder / "password").touch()

    with pytest.raises(EmbeddedServerError, match=r"could not be started: .*/nowhere/python"):
        EmbeddedServer(folder).start()


def test_a_folder_that_cannot_be_made_says_so(folder: Path) -> None:
    folder.touch()

    with pytest.raises(EmbeddedServerError, match=r"could not be started: .*File exists"):
        EmbeddedServer(folder).start()


def test_the_thread_that_started_a_server_may_end(folder: Path) -> None:
    running = EmbeddedServer(folder, options=QUICK)
    starter = threading.Thread(target=running.start)
    starter.start()
    starter.join()

    with running:
        assert answer(running.url, "SELECT 1") == 1


def test_a_script_that_forgets_to_stop_leaves_nothing_behind(processes: Processes) -> None:
    script = processes.start_python(
        "from taskfleet.embedded import EmbeddedServer; server = EmbeddedServer().start(); print(server.process_id, server.folder)"
    )

    assert script.wait(within=60) == 0
    pid, made = script.output.split()
    assert (psutil.pid_exists(int(pid)), Path(made).exists()) == (False, False)


PARENT = """
import sys, time
from taskfleet.embedded import EmbeddedServer
server = EmbeddedServer(sys.argv[1]).start()
print(server.process_id, server.url, "ready", flush=True)
time.sleep(600)
"""


@pytest.mark.requirement("E10")
def test_a_killed_parent_takes_the_server_along_and_loses_nothing(folder: Path, processes: Processes) -> None:
    parent = processes.start_python(PARENT, str(folder))
    pid, url, _ = parent.wait_for_output("ready", within=60).split()[-3:]
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    parent.send(signal.SIGKILL)

    wait_until(lambda: not psutil.pid_exists(int(pid)))
    with EmbeddedServer(folder) as again:
        assert answer(again.url, "SELECT value FROM kept") == 42


def test_a_parent_that_is_already_gone_starts_nothing() -> None:
    launcher = server._LAUNCHER
    command = [sys.executable, "-I", "-S", str(launcher), "1", "-1", "-1", str(int(signal.SIGQUIT)), "/bin/echo", "started"]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert os.getpid() != 1
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "the process that wanted this server has ended\n")
