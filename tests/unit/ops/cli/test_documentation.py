"""docs/cli.md and the tree of commands say the same."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from taskfleet_ops.cli.app import app
from taskfleet_ops.cli.demo import TASKS
from taskfleet_ops.demo.story import Story

PAGE = Path(__file__).parents[4] / "docs" / "cli.md"


def commands(command: Any, path: str = "taskfleet") -> Iterator[tuple[str, Any]]:
    """Every command that does something, with what one types for it."""
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{path} {name}")
    if not getattr(command, "commands", {}):
        yield path, command


TREE = dict(commands(typer.main.get_command(app)))


def sections() -> dict[str, str]:
    """The text under each heading that names a command."""
    parts = re.split(r"^#+ `(taskfleet[^`]*)`$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("path", TREE)
def test_each_command_and_option_is_documented(path: str) -> None:
    options = [name for parameter in TREE[path].params for name in parameter.opts if name.startswith("-") and name not in ("-h", "--help")]
    shared = ("-q", "-o")

    missing = [name for name in options if name not in shared and not re.search(rf"`{name}\b", sections()[path])]

    assert missing == []


def test_no_command_is_documented_that_is_not_there() -> None:
    groups = {path.rsplit(" ", 1)[0] for path in TREE}

    assert set(sections()) - set(TREE) - groups == set()


def test_each_option_that_is_documented_is_there() -> None:
    for path, text in sections().items():
        if path not in TREE:
            continue
        known = {name for parameter in TREE[path].params for name in parameter.opts}
        assert set(re.findall(r"`(--[a-z-]+)", text)) - known == set(), path


@pytest.mark.parametrize("path", TREE)
def test_each_command_says_what_it_does(path: str) -> None:
    assert TREE[path].help
    assert all(parameter.help for parameter in TREE[path].params)


def test_the_demos_size_is_the_storys() -> None:
    assert Story.tasks == TASKS
