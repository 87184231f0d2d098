"""The guides are true: their Python blocks run, in order, as one program."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskfleet.settings import QueueSettings

DOCS = Path(__file__).parents[3] / "docs"


def blocks(text: str) -> Iterator[str]:
    """The Python blocks of a page, each padded so that an error names the line in the page."""
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield "\n" * (text[: match.start(1)].count("\n")) + match[1]


def test_the_producers_guide_runs(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TASKFLEET_DATABASE_URL", database_url)
    page = DOCS / "queue.md"
    names: dict[str, object] = {"__name__": "guide"}

    for block in blocks(page.read_text(encoding="utf-8")):
        exec(compile(block, str(page), "exec"), names)

    printed = capsys.readouterr().out
    assert "payload.when is of type datetime, which JSON does not have" in printed
    assert "tasks wait" in printed


def test_the_producers_guide_lists_every_setting_with_its_default() -> None:
    page = (DOCS / "queue.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(TASKFLEET_\w+)` \| `?([^`|]+?)`? \|", page, re.MULTILINE))

    expected = {
        f"TASKFLEET_{name.removesuffix('_name').upper()}": "none" if field.default is None else str(field.default).replace("False", "false")
        for name, field in QueueSettings.model_fields.items()
    }
    assert rows == expected


@pytest.mark.parametrize("number", ["262,144", "100 letters", "63 letters", "512 bytes each", "64, 8,192 bytes", "ten years"])
def test_the_producers_guide_tells_the_limits_of_the_code(number: str) -> None:
    from taskfleet import names
    from taskfleet.client import validation

    limits = {
        "262,144": True,
        "100 letters": names.KIND_LENGTH == 100,
        "63 letters": names.QUEUE_LENGTH == 63,
        "512 bytes each": validation.TEXT_BYTES == 512,
        "64, 8,192 bytes": (validation.HEADER_COUNT, validation.HEADER_BYTES) == (64, 8_192),
        "ten years": validation.LONGEST_DELAY_SECONDS == 10 * 365 * 86_400,
    }

    assert number in (DOCS / "queue.md").read_text(encoding="utf-8")
    assert limits[number]
