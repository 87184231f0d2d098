import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from taskfleet_worker.context import Context, current_context
from taskfleet_worker.settings import LogFormat
from taskfleet_worker.telemetry.logs import configure_logging
from tests.support.workers import claimed_task


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def written(form: LogFormat = "json", *, level: str = "INFO") -> io.StringIO:
    stream = io.StringIO()
    configure_logging(level=level, form=form, common={"queue": "mail"}, stream=stream)
    return stream


@pytest.mark.requirement("B3")
def test_a_line_is_one_json_object_with_the_events_fields() -> None:
    stream = written()
    logging.getLogger("taskfleet.worker").info("task.completed", extra={"fields": {"task_id": 7, "message": "ünïcode"}, "more": 1})

    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "task.completed",
        "logger": "taskfleet.worker",
        "queue": "mail",
        "task_id": 7,
        "message": "ünïcode",
        "more": 1,
    }


@pytest.mark.requirement("B3")
def test_lines_of_a_handler_carry_the_ids_of_its_task() -> None:
    stream = written()
    token = current_context.set(Context(claimed_task(7, attempt=2)))
    logging.getLogger("any.library").warning("slow %s", "answer")
    current_context.reset(token)

    line = json.loads(stream.getvalue())
    assert (line["event"], line["task_id"], line["kind"], line["attempt"], line["trace_id"]) == ("slow answer", 7, "mail", 2, None)


def test_an_error_brings_its_stack() -> None:
    stream = written()
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("x").exception("loop.failed")

    assert "ValueError: broken" in json.loads(stream.getvalue())["stack"]


def test_text_is_for_people() -> None:
    stream = written("text")
    logging.getLogger("taskfleet.worker").info("task.completed", extra={"fields": {"task_id": 7, "trace_id": None}})

    assert stream.getvalue().split(" ", 1)[1] == "info    task.completed task_id=7\n"


def test_text_shows_a_stack_below_its_line() -> None:
    stream = written("text")
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("x").exception("loop.failed")

    assert stream.getvalue().splitlines()[1].startswith("Traceback")


def test_the_level_decides_what_is_written() -> None:
    stream = written(level="WARNING")
    logging.getLogger("x").info("quiet")

    assert stream.getvalue() == ""


def test_a_level_of_ones_own_keeps_its_name() -> None:
    stream = written()
    logging.getLogger("x").log(25, "notice")

    assert json.loads(stream.getvalue())["level"] == "Level 25"


def test_lines_go_to_standard_output_unless_told_otherwise() -> None:
    configure_logging(level="INFO", form="json", common={})
    (handler,) = logging.getLogger().handlers

    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stdout
