from pathlib import Path

import pytest

from taskfleet.errors import MigrationError
from taskfleet.migrations import Loss, known_migrations, newest_version


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text(f"-- {name}\n")
    return folder


def test_migrations_of_this_release_are_numbered_without_a_gap() -> None:
    assert [migration.version for migration in known_migrations()] == list(range(1, newest_version() + 1))


def test_files_are_paired_and_ordered_by_number(tmp_path: Path) -> None:
    write(tmp_path, "0002_more.down.sql", "0002_more.up.sql", "0001_first.up.sql", "0001_first.down.sql")

    assert [(migration.title, migration.up, migration.down) for migration in known_migrations(tmp_path)] == [
        ("0001_first", "-- 0001_first.up.sql\n", "-- 0001_first.down.sql\n"),
        ("0002_more", "-- 0002_more.up.sql\n", "-- 0002_more.down.sql\n"),
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(("0001_a.up.sql",), "0001_a must be number 0001 and have both", id="no way back"),
        pytest.param(("0001_a.down.sql",), "0001_a must be number 0001 and have both", id="no way up"),
        pytest.param(("0002_a.up.sql", "0002_a.down.sql"), "0002_a must be number 0001", id="a gap"),
        pytest.param(("0001_a.up.sql", "0001_a.down.sql", "0001_b.up.sql", "0001_b.down.sql"), "0001_b must be number 0002", id="twice"),
        pytest.param(("1_a.up.sql",), "file 1_a.up.sql is not named NNNN_name.up.sql", id="another name"),
    ],
)
def test_a_folder_that_is_not_in_order_is_refused(tmp_path: Path, names: tuple[str, ...], expected: str) -> None:
    with pytest.raises(MigrationError, match=expected):
        known_migrations(write(tmp_path, *names))


def test_the_checksum_is_that_of_the_way_up_alone(tmp_path: Path) -> None:
    folder = write(tmp_path, "0001_a.up.sql", "0001_a.down.sql")
    before = known_migrations(folder)[0].checksum
    known_migrations.cache_clear()
    (folder / "0001_a.down.sql").write_text("-- another way back\n")
    with_other_down = known_migrations(folder)[0].checksum
    known_migrations.cache_clear()
    (folder / "0001_a.up.sql").write_text("-- another way up\n")

    assert (with_other_down == before, known_migrations(folder)[0].checksum == before) == (True, False)


def test_files_say_what_their_way_back_loses_and_which_releases_keep_working(tmp_path: Path) -> None:
    folder = write(tmp_path, "0001_a.up.sql", "0001_a.down.sql", "0002_b.up.sql", "0002_b.down.sql")
    (folder / "0002_b.up.sql").write_text("-- works from: 0001\nSELECT 1;\n")
    (folder / "0002_b.down.sql").write_text("-- loses notes: SELECT 1 FROM taskfleet.notes\nDROP TABLE taskfleet.notes;\n")

    assert [(migration.works_from, migration.losses) for migration in known_migrations(folder)] == [
        (1, ()),
        (1, (Loss(what="notes", found="SELECT 1 FROM taskfleet.notes"),)),
    ]
