import os
import pwd
from pathlib import Path

import pytest

from taskfleet.embedded.account import Account, programs_within_reach, server_account
from taskfleet.errors import EmbeddedServerError

SOMEBODY = Account(user=54_321, group=54_321)


def test_an_ordinary_user_runs_the_server_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert server_account() == Account()
    assert not server_account().differs


def test_root_hands_over_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert server_account().user > 0


def test_root_uses_a_number_where_nobody_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", unknown)

    assert server_account() == Account(user=65_534, group=65_534)


def test_a_closed_folder_above_is_named_and_stays_closed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    with pytest.raises(EmbeddedServerError, match="choose a folder that every user may enter"):
        SOMEBODY.require_entry(closed / "server")

    assert closed.stat().st_mode & 0o777 == 0o700


def test_ourselves_may_go_where_we_may(tmp_path: Path) -> None:
    Account().require_entry(tmp_path / "server")

    assert Account().may_reach(tmp_path)


def test_programs_that_can_be_reached_are_used_in_place(tmp_path: Path) -> None:
    assert programs_within_reach(tmp_path / "bin", account=Account(), folder=tmp_path / "server") == tmp_path / "bin"


def test_programs_that_cannot_be_reached_are_copied_once_for_everybody(tmp_path: Path) -> None:
    programs, folder = tmp_path / "install" / "bin", tmp_path / "server"
    (tmp_path / "install" / "share").mkdir(parents=True)
    (tmp_path / "install" / "share" / "data").write_text("data")
    programs.mkdir()
    folder.mkdir()
    (programs / "postgres").write_text("program")
    (programs / "postmaster").symlink_to("postgres")
    (tmp_path / "install").chmod(0o700)

    first = programs_within_reach(programs, account=SOMEBODY, folder=folder)
    (programs / "postgres").write_text("newer")
    second = programs_within_reach(programs, account=SOMEBODY, folder=folder)

    assert first == second == folder / "postgresql" / "bin"
    assert (first / "postgres").read_text() == "program"
    assert (first / "postgres").stat().st_mode & 0o777 == 0o755
    assert (folder / "postgresql" / "share" / "data").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "install").stat().st_mode & 0o777 == 0o700
