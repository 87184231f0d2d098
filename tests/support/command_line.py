"""The command line `taskfleet`, run in this process: quick, and what it covers is seen."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from taskfleet_ops.cli.app import run


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output as JSON."""
        return json.loads(self.out)

    @property
    def words(self) -> str:
        """Its output, however wide its columns are."""
        return " ".join(self.out.split())


class CommandLine:
    """Runs commands against one database."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> Answer:
        """Run one command line."""
        self._capture.readouterr()
        code = run(arguments)
        captured = self._capture.readouterr()
        return Answer(code=code, out=captured.out, err=captured.err)


@pytest.fixture
def taskfleet(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line without a database."""
    for name in ("TASKFLEET_DATABASE_URL", "TASKFLEET_DATABASE_URL_FILE", "TASKFLEET_SCHEMA", "TASKFLEET_QUEUE"):
        monkeypatch.delenv(name, raising=False)
    return CommandLine(capsys)
