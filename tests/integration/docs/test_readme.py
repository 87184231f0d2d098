"""The README leads from nothing to the reader's own handler: its commands are run as they stand, in a folder of their own."""

import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.processes import COMMANDS, RunningProcess
from tests.support.waiting import wait_until

README = Path(__file__).parents[3] / "README.md"
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<role>[^\n]+))?\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block: its language, what its first line says of it, and its text."""

    language: str
    role: str
    text: str


def blocks_of_the_walk() -> list[Block]:
    """The blocks from the first handler up to Kubernetes, without the one that enters the environment."""
    _, _, walk = README.read_text(encoding="utf-8").partition("## Your first handler")
    walk, _, _ = walk.partition("## On Kubernetes")
    blocks = [Block(language=match["language"], role=match["role"] or "", text=match["text"]) for match in BLOCK.finditer(walk)]
    return [block for block in blocks if ".venv/bin/activate" not in block.text]


class Reader:
    """Somebody who copies block after block into terminals of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"PATH": f"{COMMANDS}:/usr/local/bin:/usr/bin:/bin", "NO_COLOR": "1"}
        self.second_terminal: RunningProcess | None = None
        self.said = ""
        self._terminals = 0

    def copies(self, block: Block) -> None:
        """Do what a block says, or write the file that it is."""
        match block:
            case Block(language="python" | "yaml", role=name):
                (self.folder / name).write_text(block.text, encoding="utf-8")
            case Block(role="second terminal"):
                self.second_terminal = self._type(block.text)
                wait_until((self.folder / "database.env").exists, within=30)
                wait_until(lambda: "TASKFLEET_DATABASE_URL" in (self.folder / "database.env").read_text(), within=30)
            case Block(role=""):
                with self._type(f"{self._entered}{block.text}") as terminal:
                    code = terminal.wait(within=60)
                    assert code == 0, terminal.output
                    self.said += terminal.output
            case Block(role="until the task is done"):
                self._types_until(block, lambda: "succeeded" in self._asks("taskfleet tasks get 1"))
            case Block(role="until the queue is empty"):
                self._types_until(block, lambda: "succeeded 100.0 %" in self._asks("taskfleet stats"))

    def closes_everything(self) -> None:
        """Close the second terminal."""
        if self.second_terminal is not None:
            self.second_terminal.send(signal.SIGINT)
            self.second_terminal.kill_group()

    @property
    def _entered(self) -> str:
        return "set -e; source database.env; " if (self.folder / "database.env").exists() else "set -e; "

    def _type(self, text: str) -> RunningProcess:
        self._terminals += 1
        output = self.folder / f"terminal-{self._terminals}.txt"
        return RunningProcess(["bash", "-c", text], output=output, environment=self.environment, folder=self.folder)

    def _asks(self, command: str) -> str:
        with self._type(f"{self._entered}{command}") as terminal:
            terminal.wait(within=30)
            return terminal.output

    def _types_until(self, block: Block, done: Callable[[], bool]) -> None:
        with self._type(f"{self._entered}exec {block.text}") as terminal:
            wait_until(done, within=90, every=0.5)
            terminal.send(signal.SIGINT)
            terminal.wait(within=30)
            self.said += terminal.output


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter: PostgreSQL does not run as root, and pytest's own folders are closed."""
    with TemporaryDirectory(prefix="taskfleet-readme-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.timeout(240)
@pytest.mark.requirement("E3")
def test_the_commands_of_the_readme_lead_to_a_handler_that_runs_and_a_fleet_that_scales(open_folder: Path) -> None:
    reader = Reader(open_folder)
    try:
        for block in blocks_of_the_walk():
            reader.copies(block)
    finally:
        reader.closes_everything()

    told = reader.said
    assert "hello Ada" in told
    assert "hello guest 4999" in told
    assert "PanicBacklog" in told
