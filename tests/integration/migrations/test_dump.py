from pathlib import Path

import pytest

from taskfleet.embedded.programs import find_programs
from taskfleet.errors import EmbeddedServerError
from taskfleet.migrations import dump


@pytest.mark.requirement("C5")
def test_the_committed_schema_is_what_the_migrations_make() -> None:
    assert dump.main(["--check"]) == 0, "run `make generate`"


def test_a_file_that_is_not_is_told_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "schema.sql"
    monkeypatch.setattr(dump, "dump_schema", lambda: {"schema.sql": "CREATE SCHEMA taskfleet;\n"})

    codes = [dump.main(["--check", str(tmp_path)]), dump.main([str(tmp_path)]), dump.main(["--check", str(tmp_path)])]

    assert codes == [1, 0, 0]
    assert capsys.readouterr().err == f"{file} is not what the migrations make: run `make generate`\n"


def test_a_missing_pg_dump_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "find_programs", lambda: tmp_path)

    with pytest.raises(EmbeddedServerError, match=f"pg_dump in {tmp_path} did not run"):
        dump.dump_schema()


def test_a_pg_dump_that_fails_is_quoted_without_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pg_dump").write_text('#!/bin/sh\nfor last; do true; done\necho "cannot connect to $last" >&2\nexit 1\n')
    (tmp_path / "pg_dump").chmod(0o755)
    real = find_programs()
    monkeypatch.setattr(dump, "find_programs", lambda: tmp_path)

    with pytest.raises(EmbeddedServerError, match="did not run: cannot connect to the embedded server") as caught:
        dump.dump_schema()

    assert real != tmp_path
    assert "postgresql://" not in str(caught.value)
