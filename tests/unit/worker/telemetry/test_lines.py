import io
import logging
import os
import select
import sys
from collections.abc import Iterator, Mapping, Sequence
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_worker.telemetry.lines import PIECE_BYTES, LineHandler, lines_together, log_each, pieces

pytestmark = pytest.mark.requirement("B3")
WORKER = logging.getLogger("taskfleet.worker")


class Pieces(io.StringIO):
    """A stream that remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def write(self, text: str, /) -> int:
        self.written.append(text)
        return super().write(text)


class Kept(logging.Handler):
    """What people attach: it gets every record."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, factory = root.handlers[:], root.level, logging.getLogRecordFactory()
    root.setLevel("INFO")
    yield
    root.handlers[:], root.level = handlers, level
    logging.setLogRecordFactory(factory)


def attach(handler: logging.Handler) -> None:
    logging.getLogger().handlers[:] = [handler]


def test_a_line_is_out_when_the_call_returns() -> None:
    attach(LineHandler(stream := Pieces()))
    WORKER.info("one")

    assert stream.written == ["one\n"]


def test_lines_of_a_block_leave_in_one_write_and_in_order() -> None:
    attach(LineHandler(stream := Pieces()))
    with lines_together():
        for number in range(3):
            WORKER.info("%s", number)
        before = list(stream.written)

    assert (before, stream.written) == ([], ["0\n1\n2\n"])


def test_lines_are_out_whatever_ends_the_block() -> None:
    attach(LineHandler(stream := Pieces()))
    with pytest.raises(KeyboardInterrupt), lines_together():
        WORKER.info("before")
        raise KeyboardInterrupt

    WORKER.info("after")
    assert stream.written == ["before\n", "after\n"]


def test_a_block_within_a_block_leaves_with_it() -> None:
    attach(LineHandler(stream := Pieces()))
    with lines_together():
        with lines_together():
            WORKER.info("inner")
        WORKER.info("outer")

    assert stream.written == ["inner\nouter\n"]


def test_other_threads_wait_for_nobodys_block() -> None:
    attach(LineHandler(stream := Pieces()))
    with lines_together():
        WORKER.info("held")
        other = Thread(target=WORKER.info, args=["at once"])
        other.start()
        other.join()

    assert stream.written == ["at once\n", "held\n"]


def test_a_line_that_the_stream_cannot_say_costs_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    attach(LineHandler(io.TextIOWrapper(content := io.BytesIO(), encoding="ascii")))
    with lines_together():
        for text in ("one", "zwölf", "three"):
            WORKER.info(text)

    assert content.getvalue() == b"one\nthree\n"
    assert "UnicodeEncodeError" in capsys.readouterr().err


def test_a_record_that_cannot_be_formatted_costs_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    attach(LineHandler(stream := Pieces()))
    with lines_together():
        WORKER.info("%d", "no number")
        WORKER.info("fine")

    assert stream.written == ["fine\n"]
    assert "TypeError" in capsys.readouterr().err


def test_a_record_without_end_is_an_error_of_who_logs_it() -> None:
    class Endless:
        def __str__(self) -> str:
            return str(self)

    attach(LineHandler(Pieces()))
    with pytest.raises(RecursionError), lines_together():
        WORKER.info(Endless())


def test_a_broken_stream_does_not_end_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(io.StringIO):
        def write(self, _text: str, /) -> int:
            raise BrokenPipeError

    attach(LineHandler(Broken()))
    with lines_together():
        WORKER.info("lost")

    errors = capsys.readouterr().err
    assert "BrokenPipeError" in errors
    assert "lost" in errors


def test_no_line_is_lost_in_a_pipe_that_fills_up() -> None:
    reading, writing = os.pipe()
    expected = [f"{number} {'x' * 150}" for number in range(2_000)]

    def log_all() -> None:
        # As with PYTHONUNBUFFERED: nothing between the text and the pipe.
        with io.TextIOWrapper(os.fdopen(writing, "wb", buffering=0), write_through=True) as stream:
            attach(LineHandler(stream))
            with lines_together():
                for line in expected:
                    WORKER.info(line)

    writer = Thread(target=log_all)
    writer.start()
    with os.fdopen(reading) as stream:
        found = stream.read().splitlines()
    writer.join()

    assert found == expected


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.just("ä" * 500) | st.just("x" * 3_000)))
def test_pieces_hold_all_lines_in_order_and_pass_through_a_pipe_whole(lines: Sequence[str]) -> None:
    found = list(pieces(lines))

    assert [line for piece in found for line in piece] == lines
    assert all(len(piece) == 1 or len("".join(piece).encode()) <= PIECE_BYTES for piece in found)


def test_a_pipe_takes_a_piece_whole() -> None:
    assert sys.platform != "linux" or PIECE_BYTES <= select.PIPE_BUF


def attributes(record: logging.LogRecord) -> Mapping[str, Any]:
    own_moment = {"created", "msecs", "relativeCreated", "lineno"}
    return {name: value for name, value in vars(record).items() if name not in own_moment}


def test_records_logged_each_are_those_that_a_logger_makes() -> None:
    attach(kept := Kept())
    fields: Sequence[Mapping[str, object]] = [{"task_id": 1}, {"task_id": 2, "kind": "mail"}]
    log_each(WORKER, logging.INFO, "task.completed", fields)
    quick, kept.records = kept.records, []
    for each in fields:
        WORKER.info("task.completed", extra={"fields": each})

    assert [attributes(record) for record in quick] == [attributes(record) for record in kept.records]
    assert quick[0].funcName == "test_records_logged_each_are_those_that_a_logger_makes"


def test_each_record_is_one_of_its_own() -> None:
    attach(kept := Kept())
    log_each(WORKER, logging.INFO, "task.completed", [{"task_id": 1}, {"task_id": 2}])
    kept.records[0].seen = True

    assert not hasattr(kept.records[1], "seen")


def test_nothing_is_made_below_the_level() -> None:
    attach(kept := Kept())
    log_each(WORKER, logging.DEBUG, "task.completed", [{"task_id": 1}])

    assert kept.records == []


def test_filters_of_logger_and_handler_see_each_record() -> None:
    attach(kept := Kept())
    first, second = (lambda record, number=number: record.fields["task_id"] != number for number in (1, 2))
    WORKER.addFilter(first)
    kept.addFilter(second)
    try:
        log_each(WORKER, logging.INFO, "task.completed", [{"task_id": number} for number in (1, 2, 3)])
    finally:
        WORKER.removeFilter(first)

    assert [vars(record)["fields"] for record in kept.records] == [{"task_id": 3}]


def test_who_makes_records_of_their_own_makes_all_of_them() -> None:
    class Numbered(logging.LogRecord):
        made = 0

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            Numbered.made += 1
            self.number = Numbered.made

    logging.setLogRecordFactory(Numbered)
    attach(kept := Kept())
    log_each(WORKER, logging.INFO, "task.completed", [{"task_id": 1}, {"task_id": 2}])

    assert [vars(record)["number"] for record in kept.records] == [1, 2]
