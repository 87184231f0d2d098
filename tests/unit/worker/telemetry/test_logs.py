import io
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_worker.context import Context, current_context
from taskfleet_worker.settings import LogFormat
from taskfleet_worker.telemetry.logs import JsonFormatter, configure_logging
from tests.support.workers import claimed_task

NAMES = st.sampled_from(["time", "level", "event", "queue", "task_id", "stack"]) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
EXTRA = st.dictionaries(NAMES.filter(lambda name: name not in vars(logging.makeLogRecord({"message": "", "asctime": ""}))), VALUES)


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


@pytest.mark.requirement("B3")
@given(
    moments=st.lists(st.sampled_from([0.0, 0.9996, 1.0, 1_700_000_000.25]), min_size=1),
    logger=st.text(),
    level=st.sampled_from(["INFO", "WARNING", "ODD"]),
    event=st.text(),
    extra=EXTRA,
    fields=st.dictionaries(NAMES, VALUES),
    common=st.dictionaries(st.sampled_from(["queue", "worker"]), st.text()),
)
def test_every_line_is_the_json_of_what_it_says(
    moments: list[float], logger: str, level: str, event: str, extra: dict[str, Any], fields: dict[str, Any], common: Mapping[str, object]
) -> None:
    number = {"INFO": logging.INFO, "WARNING": logging.WARNING}.get(level, 25)
    record = {"name": logger, "levelno": number, "levelname": level, "msg": event, "args": (), **extra, "fields": fields}
    formatter = JsonFormatter(common)

    # One formatter for all, as in a worker, so that a line may begin as the one before it.
    found = [formatter.format(logging.makeLogRecord({**record, "created": moment})) for moment in moments]

    shown = {"INFO": "info", "WARNING": "warning"}.get(level, level)
    for line, moment in zip(found, moments, strict=True):
        time = datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{int(moment % 1 * 1000):03d}Z"
        expected = {"time": time, "level": shown, "event": event, "logger": logger, **common, **extra, **fields}
        assert json.loads(line, object_pairs_hook=once_each) == expected


def once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object, none of whose names stands twice."""
    found = dict(pairs)
    assert len(found) == len(pairs)
    return found


def test_fields_that_are_no_mapping_are_a_field() -> None:
    stream = written()
    logging.getLogger("form").info("refused", extra={"fields": ["name", "age"]})

    assert json.loads(stream.getvalue())["fields"] == ["name", "age"]


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
