from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pytest

from taskfleet.models import Attempt, Enqueued, Task
from taskfleet.words import DeadReason, TaskState
from taskfleet_ops.cli.options import Format
from taskfleet_ops.cli.output import Column, Listing, plain
from taskfleet_ops.cli.pages import write_enqueued, write_task

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Thing:
    name: str
    size: int


THINGS = Listing[Thing](
    columns=(
        Column(title="NAME", text=lambda thing: thing.name),
        Column(title="SIZE", text=lambda thing: str(thing.size), right=True),
        Column(title="BOTH", text=lambda thing: f"{thing.name}-{thing.size}", wide=True),
    ),
    name=lambda thing: thing.name,
)
ROWS = [Thing("a", 1), Thing("[bold]b", 22)]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (Format.TABLE, ["NAME     SIZE", "a           1", "[bold]b    22"]),
        (Format.WIDE, ["NAME     SIZE  BOTH", "a           1  a-1", "[bold]b    22  [bold]b-22"]),
        (Format.NAME, ["a", "[bold]b"]),
        (Format.YAML, ["- name: a", "  size: 1", "- name: '[bold]b'", "  size: 22"]),
    ],
)
def test_rows_come_in_the_format_that_was_asked_for(capsys: pytest.CaptureFixture[str], output: Format, expected: list[str]) -> None:
    THINGS.write(ROWS, output=output)

    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == expected


def test_values_become_what_json_can_carry() -> None:
    given = {"state": TaskState.READY, "id": UUID(int=7), "at": NOON, "things": (Thing("a", 1),), "none": None, "kind": Thing}

    assert plain(given) == {
        "state": "ready",
        "id": "00000000-0000-0000-0000-000000000007",
        "at": "2026-03-01T12:00:00+00:00",
        "things": [{"name": "a", "size": 1}],
        "none": None,
        "kind": Thing,
    }


def dead_task() -> Task:
    attempt = Attempt(attempt=1, code="TASK_EXECUTION_FAILED", message="boom", started_at=NOON, finished_at=NOON, worker="w")
    return Task(
        task_id=7,
        queue="media",
        kind="transcode",
        state=TaskState.FAILED,
        priority=5,
        payload={"title": "Käse"},
        headers=None,
        group="show-1",
        entity="rec-7",
        idempotency_key="k",
        attempt_count=1,
        max_attempts=1,
        created_at=NOON,
        run_at=None,
        last_attempt_at=NOON,
        finished_at=NOON,
        lease_expires_at=NOON,
        worker="w",
        result=[1],
        dead_reason=DeadReason.MAX_ATTEMPTS_EXCEEDED,
        code="TASK_EXECUTION_FAILED",
        message="boom",
        stack="Traceback: boom\n",
        trace_id="t",
        attempts=(attempt,),
    )


@pytest.mark.requirement("C1")
def test_a_dead_task_shows_what_went_wrong_and_wide_its_stack(capsys: pytest.CaptureFixture[str]) -> None:
    write_task(dead_task(), output=Format.TABLE)
    page = capsys.readouterr().out
    write_task(dead_task(), output=Format.WIDE)
    wide = capsys.readouterr().out

    words = " ".join(page.split())
    for piece in (
        "attempts 1 of 1",
        "error TASK_EXECUTION_FAILED: boom",
        "reason max_attempts_exceeded",
        'payload {"title": "Käse"}',
        "attempt 1 2026-03-01 12:00:00+00:00 TASK_EXECUTION_FAILED boom",
    ):
        assert piece in words
    assert "Traceback" not in page
    assert wide.endswith("Traceback: boom\n")


@pytest.mark.parametrize(
    ("output", "expected"),
    [(Format.NAME, "7\n"), (Format.JSON, '{\n  "task_id": 7,\n  "duplicate": false\n}\n'), (Format.WIDE, "task 7 enqueued\n")],
)
def test_a_new_task_is_told_by_its_id(capsys: pytest.CaptureFixture[str], output: Format, expected: str) -> None:
    write_enqueued(Enqueued(task_id=7), output=output)

    assert capsys.readouterr().out == expected
