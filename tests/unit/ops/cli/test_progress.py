import io
import sys

import pytest

from taskfleet_ops.cli.progress import telling, under_way


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
