"""`python -m taskfleet.embedded`."""

import re
import signal
import socket
from pathlib import Path

import psutil
import pytest

import taskfleet
from tests.support.processes import PYTHON, Processes
from tests.support.waiting import wait_until

COMMAND = [PYTHON, "-m", "taskfleet.embedded"]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_where_it_is_serves_the_schema_and_goes_on_a_signal(processes: Processes, ending: signal.Signals) -> None:
    command = processes.start(COMMAND)
    said = command.wait_for_output("Ctrl-C ends it", within=60)
    url = re.search(r"^export TASKFLEET_DATABASE_URL='(.*)'$", said, re.MULTILINE)
    folder = re.search(r"runs in (\S+), which goes with it", said)
    assert url is not None
    assert folder is not None
    with taskfleet.Producer(url[1]) as producer:
        producer.enqueue("hello")
    command.send(ending)

    assert command.wait() == 0
    assert not Path(folder[1]).exists()


def test_an_occupied_port_ends_it_with_a_clear_line(processes: Processes) -> None:
    with socket.socket() as occupier:
        occupier.bind(("127.0.0.1", 0))
        occupier.listen()
        port = str(occupier.getsockname()[1])
        command = processes.start([*COMMAND, "--port", port])

        assert command.wait(within=60) == 1

    assert f"did not start on port {port}" in command.output
    assert "Traceback" not in command.output


def test_a_server_that_ends_by_itself_ends_it_with_where_to_look(processes: Processes) -> None:
    command = processes.start(COMMAND)
    command.wait_for_output("Ctrl-C ends it", within=60)
    servers = [child for child in psutil.Process(command.pid).children() if child.name() == "postgres"]
    servers[0].send_signal(signal.SIGINT)

    assert command.wait() == 1
    assert "PostgreSQL ended by itself; see " in command.output
    wait_until(lambda: not servers[0].is_running())
