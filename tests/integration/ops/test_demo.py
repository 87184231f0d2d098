"""The demo as people run it: real processes from end to end."""

import json
import re
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from tests.support.processes import COMMANDS, PYTHON, Processes, RunningProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder for the demo's folder: not pytest's own, which the server's unprivileged user may not enter."""
    with tempfile.TemporaryDirectory(prefix="taskfleet-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def demo(processes: Processes, room: Path) -> Iterator["Demo"]:
    made = Demo(processes, room)
    yield made
    made.end_everything()
    made.print_output()


class Demo:
    """Starts demos, and knows what they started."""

    def __init__(self, processes: Processes, room: Path) -> None:
        self._processes, self.room = processes, room
        self._started: list[psutil.Process] = []
        self._demos: list[RunningProcess] = []

    def start(self, *arguments: str) -> RunningProcess:
        environment = {"TMPDIR": str(self.room), "TASKFLEET_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/elsewhere", "COLUMNS": "120"}
        self._demos.append(self._processes.start([COMMANDS / "taskfleet", "demo", *arguments], environment=environment))
        return self._demos[-1]

    def at_work(self, process: RunningProcess) -> Sequence[psutil.Process]:
        """Everything that the demo has started, once workers finish tasks. Its output is printed for the case that they never do."""
        wait_until(lambda: re.search(r"completed [1-9]", process.output) or not process.alive, within=180)
        assert process.alive, process.output
        self._started = psutil.Process(process.pid).children(recursive=True)
        return self._started

    def left(self) -> Sequence[Path]:
        return list(self.room.iterdir())

    def alive(self) -> Sequence[psutil.Process]:
        return [process for process in self._started if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]

    def print_output(self) -> None:
        """Shown with a test that failed."""
        for process in self._demos:
            print(process.output)  # noqa: T201

    def end_everything(self) -> None:
        for process in self.alive():
            process.kill()


def names_of(processes: Sequence[psutil.Process]) -> str:
    return " ".join(" ".join(process.cmdline()) for process in processes)


@pytest.mark.requirement("A1", "A5", "A11", "K2")
def test_every_good_task_is_done_once_and_every_gone_one_asked_about_once(demo: Demo, tmp_path: Path) -> None:
    process = demo.start("--tasks", "2000", "--json", str(tmp_path / "result.json"))
    code = process.wait(within=180)
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))

    assert code == 0, process.output
    assert result["good"] == {"total": 1_000, "succeeded": 1_000, "duplicates": 0}
    assert result["gone"] == {"total": 1_000, "failed": 1_000, "max_attempts_used": 1, "distinct_entities": 686}
    assert (result["lost"], result["killed"], result["final_workers"]) == (0, 0, 0)
    assert result["calls_for_good"] == 1_000
    assert 686 <= result["calls_for_gone"] <= 686 + 64
    assert result["overload_answers"] <= 0.1 * (result["calls_for_good"] + result["calls_for_gone"] + result["overload_answers"])
    assert 1 <= result["peak_workers"] <= 8
    assert result["scale_actions"] >= 2
    assert 0 < result["pod_seconds"] <= 8 * result["seconds"]
    assert demo.left() == []
    for piece in (
        "2,000 tasks enqueued",
        ": 8 workers: ",
        "Efficiency report",
        "failed, TASK_ENTITY_NOT_FOUND",
        "pod-seconds",
        "finished/s",
    ):
        assert piece in process.output
    assert "\x1b[" not in process.output


def test_ctrl_c_stops_everything_and_leaves_nothing(demo: Demo) -> None:
    process = demo.start()
    started = names_of(demo.at_work(process))
    process.send(signal.SIGINT)
    code = process.wait(within=30)

    for part in ("postgres", "taskfleet_ops.demo.downstream", "taskfleet_operator", "taskfleet_worker"):
        assert part in started
    assert code == 130, process.output
    assert demo.alive() == []
    assert demo.left() == []


def test_a_killed_demo_takes_everything_along_and_the_next_one_cleans_up(demo: Demo) -> None:
    process = demo.start()
    demo.at_work(process)
    process.send(signal.SIGKILL)

    wait_until(lambda: not demo.alive(), within=10)
    assert len(demo.left()) == 1

    following = demo.start("--tasks", "20")
    assert following.wait(within=200) == 0, following.output
    assert demo.left() == []


def test_a_demo_that_make_started_ends_with_make(demo: Demo, processes: Processes) -> None:
    starter = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    command = (str(COMMANDS / "taskfleet"), "demo", "--end-with-parent")
    make = processes.start([PYTHON, "-c", starter, *command], environment={"TMPDIR": str(demo.room)})
    demo.at_work(make)
    make.send(signal.SIGKILL)

    wait_until(lambda: not demo.alive(), within=10)
    assert demo.left() == []


def test_a_kept_database_can_be_looked_at_afterwards(demo: Demo, processes: Processes) -> None:
    process = demo.start("--tasks", "20", "--keep")
    assert process.wait(within=120) == 0, process.output
    folder = demo.left()[0]
    assert f"taskfleet demo --open {folder}" in process.output

    server = demo.start("--open", str(folder))
    line = next(line for line in server.wait_for_output("Ctrl-C").splitlines() if line.startswith("export "))
    settings = dict(word.split("=", 1) for word in line.split()[1:])
    stats = processes.start([COMMANDS / "taskfleet", "stats", "-o", "json"], environment=settings)
    assert stats.wait() == 0
    assert sum(kind["succeeded"] for kind in json.loads(stats.output)["kinds"]) == 10

    server.send(signal.SIGINT)
    assert server.wait() == 130
