import io
import sys

import pytest

from taskfleet_ops.cli.progress import counting, telling, under_way
from tests.support.waiting import wait_until


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "expected"), [(io.StringIO(), False), (Terminal(), True)])
def test_only_a_terminal_is_told_what_is_under_way(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, expected: bool) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    with under_way("applying migrations"):
        pass

    assert ("applying migrations" in stream.getvalue()) is expected


@pytest.mark.parametrize(("stream", "expected"), [(io.StringIO(), False), (Terminal(), True)])
def test_only_a_terminal_is_told_step_by_step(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, expected: bool) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    with telling() as told:
        told("playing bursty")

    assert stream.getvalue().strip() != "" if expected else stream.getvalue() == ""


@pytest.mark.parametrize(("stream", "expected"), [(io.StringIO(), False), (Terminal(), True)])
def test_a_terminal_sees_how_far_long_work_has_come(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, expected: bool) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    with counting("expiring") as progress:
        progress(1_000)
        progress(500)
        wait_until(lambda: "1,500" in stream.getvalue() or not expected)

    assert ("expiring: 1,500" in stream.getvalue()) is expected
