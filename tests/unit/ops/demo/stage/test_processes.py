import asyncio
import signal
import sys
from pathlib import Path

import psutil
import pytest

from taskfleet_ops.demo.errors import DemoError
from taskfleet_ops.demo.stage.processes import Child, Program, child
from tests.support.processes import Processes
from tests.support.waiting import wait_until

STUBBORN = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
POLITE = "import time; print('here', flush=True); time.sleep(60)"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Program:
    """A module with the code that the test names."""
    (tmp_path / "a_child.py").write_text(request.param, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return Program(name="child", module="a_child", arguments=(), log=tmp_path / "log", announces=True, patience_seconds=0.2)


@pytest.mark.parametrize("program", [POLITE], indirect=True)
async def test_a_child_announces_itself_and_stops_when_asked(program: Program) -> None:
    async with child(program) as running:
        line = await running.first_line(within_seconds=10)
        running.require_running()
        lived = running.running

    assert (line, lived, running.running) == ("here", True, False)
    assert not psutil.pid_exists(running.process_id)


@pytest.mark.parametrize("program", [STUBBORN], indirect=True)
async def test_a_child_that_will_not_stop_is_ended(program: Program) -> None:
    async with child(program) as running:
        await running.first_line(within_seconds=10)

    assert not psutil.pid_exists(running.process_id)


@pytest.mark.parametrize("program", [POLITE], indirect=True)
async def test_a_cancelled_demo_leaves_no_child(program: Program) -> None:
    started: list[Child] = []

    async def demo() -> None:
        async with child(program) as running:
            started.append(running)
            await running.first_line(within_seconds=10)
            await asyncio.Event().wait()

    task = asyncio.create_task(demo())
    while not started:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not started[0].running


@pytest.mark.parametrize("program", ["import sys; sys.exit('no room for a child')"], indirect=True)
async def test_a_child_that_ends_by_itself_is_told_with_its_last_words(program: Program) -> None:
    async with child(program) as running:
        with pytest.raises(DemoError, match=r"the child ended with exit code 1; the end of its log:\nno room for a child"):
            await running.first_line(within_seconds=10)


@pytest.mark.parametrize("program", ["import time; time.sleep(60)"], indirect=True)
async def test_a_silent_child_is_not_waited_for_forever(program: Program) -> None:
    async with child(program) as running:
        with pytest.raises(DemoError, match=r"the child said nothing within 0\.1 s; the end of its log:\n\(empty\)"):
            await running.first_line(within_seconds=0.1)


PARENT = """
import asyncio, pathlib, sys
from taskfleet_ops.demo.stage.processes import Program, child

async def main():
    program = Program(name="child", module="http.server", arguments=("0", "--bind", "127.0.0.1"), log=pathlib.Path(sys.argv[1]))
    async with child(program) as running:
        print(running.process_id, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_a_killed_parent_takes_its_children_along(processes: Processes, tmp_path: Path) -> None:
    parent = processes.start([sys.executable, "-c", PARENT, tmp_path / "child.log"])
    child_id = int(parent.wait_for_output("\n"))
    parent.send(signal.SIGKILL)

    wait_until(lambda: not psutil.pid_exists(child_id))
