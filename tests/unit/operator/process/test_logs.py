import io
import json
import logging
from collections.abc import Iterator

import pytest

from taskfleet_operator.process.logs import LogFormat, configure_logging


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)


def line(stream: io.StringIO, log_format: LogFormat, **fields: object) -> str:
    configure_logging(log_format=log_format, level="INFO", stream=stream)
    logging.getLogger("taskfleet_operator.any").info("queue.event", extra=fields)
    return stream.getvalue()


def test_json_line_holds_the_event_and_its_fields(stream: io.StringIO) -> None:
    written = json.loads(line(stream, "json", reason="Scaled", note="from 1 to 2", nothing=None))

    assert written.pop("time").endswith("Z")
    assert written == {
        "level": "info",
        "event": "queue.event",
        "logger": "taskfleet_operator.any",
        "reason": "Scaled",
        "note": "from 1 to 2",
    }


def test_text_line_reads_from_left_to_right(stream: io.StringIO) -> None:
    written = line(stream, "text", reason="Scaled", note="from 1 to 2", empty="")

    assert written[8:] == ' info    queue.event reason=Scaled note="from 1 to 2" empty=""\n'


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_stack_is_kept(stream: io.StringIO, log_format: LogFormat) -> None:
    configure_logging(log_format=log_format, level="INFO", stream=stream)
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logging.getLogger("any").exception("loop.failed")

    assert "RuntimeError: broken" in stream.getvalue()


def test_libraries_are_heard_from_warnings_on(stream: io.StringIO) -> None:
    configure_logging(log_format="text", level="DEBUG", stream=stream)
    logging.getLogger("asyncio").info("chatter")
    logging.getLogger("asyncio").warning("trouble")

    assert "chatter" not in stream.getvalue()
    assert "trouble" in stream.getvalue()
