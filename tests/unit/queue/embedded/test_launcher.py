import ctypes
import os
import signal
import sys
from typing import Any

import pytest

from taskfleet.embedded import launcher


class Kernel:
    """Remembers what the launcher asks the kernel for, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Any, ...]] = []
        for name in ("setgroups", "setgid", "setuid", "umask", "execv"):
            monkeypatch.setattr(os, name, self._remember(name))
        library = type("Library", (), {"prctl": staticmethod(self._remember("prctl"))})
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library)

    def _remember(self, name: str) -> Any:
        return lambda *arguments: self.calls.append((name, *arguments))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


QUIT = str(int(signal.SIGQUIT))
PROGRAM = ["/bin/postgres", "-D", "data"]


def test_the_user_is_changed_before_the_life_is_bound_and_the_program_comes_last(kernel: Kernel) -> None:
    launcher.main([str(os.getppid()), "12", "34", QUIT, *PROGRAM])

    assert kernel.calls == [
        ("setgroups", []),
        ("setgid", 34),
        ("setuid", 12),
        ("prctl", launcher.PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0),
        ("umask", 0o077),
        ("execv", "/bin/postgres", PROGRAM),
    ]


def test_our_own_user_stays_and_a_program_may_outlive_us(kernel: Kernel) -> None:
    launcher.main([str(os.getppid()), "-1", "-1", "0", *PROGRAM])

    assert [call[0] for call in kernel.calls] == ["umask", "execv"]


def test_a_parent_that_has_ended_meanwhile_starts_nothing(kernel: Kernel) -> None:
    with pytest.raises(SystemExit, match="the process that wanted this server has ended"):
        launcher.main([str(os.getppid() + 1), "-1", "-1", QUIT, *PROGRAM])

    assert "execv" not in [call[0] for call in kernel.calls]


def test_elsewhere_than_on_linux_the_program_just_runs(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    launcher.main([str(os.getppid() + 1), "-1", "-1", QUIT, *PROGRAM])

    assert [call[0] for call in kernel.calls] == ["umask", "execv"]
