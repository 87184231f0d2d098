from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from taskfleet.errors import MigrationError, SchemaTooNewError
from taskfleet.migrations.files import Migration
from taskfleet.migrations.plan import Applied, MigrationState, next_down, next_up, require_known, status

KNOWN = [Migration(version=number, name=f"step{number}", up=f"up {number}", down=f"down {number}") for number in (1, 2, 3)]
AT = datetime(2026, 1, 1, tzinfo=UTC)


def applied(*versions: int, checksum: str | None = None) -> dict[int, Applied]:
    def row(version: int) -> Applied:
        known = KNOWN[version - 1].checksum if version <= len(KNOWN) else "from the future"
        return Applied(version=version, name=f"step{version}", checksum=checksum or known, applied_at=AT)

    return {version: row(version) for version in versions}


@pytest.mark.parametrize(
    ("versions", "to", "up", "down"),
    [
        pytest.param((), 3, 1, None, id="an empty database starts with the first"),
        pytest.param((1,), 3, 2, None, id="the next missing one"),
        pytest.param((1, 2, 3), 3, None, None, id="nothing to do"),
        pytest.param((1, 2), 2, None, None, id="not beyond the target"),
        pytest.param((1, 2, 3), 1, None, 3, id="back from the newest"),
        pytest.param((1,), 0, None, 1, id="back to nothing"),
    ],
)
def test_the_next_step(versions: tuple[int, ...], to: int, up: int | None, down: int | None) -> None:
    found = next_up(KNOWN, applied(*versions), to=to), next_down(KNOWN, applied(*versions), to=to)

    assert tuple(migration and migration.version for migration in found) == (up, down)


def test_status_knows_both_sides() -> None:
    rows = {**applied(1, 4), **applied(2, checksum="other")}

    assert [(row.version, row.state, row.applied_at) for row in status(KNOWN, rows)] == [
        (1, MigrationState.APPLIED, AT),
        (2, MigrationState.CHANGED, AT),
        (3, MigrationState.PENDING, None),
        (4, MigrationState.UNKNOWN, AT),
    ]


@pytest.mark.parametrize("versions", [(), (1,), (1, 2, 3)])
def test_a_database_with_our_files_is_fine(versions: tuple[int, ...]) -> None:
    require_known(KNOWN, applied(*versions), schema="taskfleet")


def test_a_newer_schema_is_refused() -> None:
    with pytest.raises(SchemaTooNewError, match="schema 'taskfleet' is at migration 4, this release knows 3: upgrade taskfleet here"):
        require_known(KNOWN, applied(1, 2, 3, 4), schema="taskfleet")


@pytest.mark.parametrize(
    ("works_from", "refused"),
    [
        pytest.param((3,), False, id="it says that it works with ours"),
        pytest.param((1,), False, id="it works with older ones still"),
        pytest.param((4,), True, id="it needs itself"),
        pytest.param((None,), True, id="it says nothing"),
        pytest.param((3, 3), False, id="so do several"),
        pytest.param((3, 5), True, id="one of several does not"),
    ],
)
def test_a_newer_schema_is_left_alone_where_every_unknown_migration_works_with_this_release(
    works_from: tuple[int | None, ...], refused: bool
) -> None:
    newer = {number: replace(applied(4)[4], version=number, works_from=oldest) for number, oldest in enumerate(works_from, start=4)}
    rows = {**applied(1, 2, 3), **newer}
    with pytest.raises(SchemaTooNewError) if refused else nullcontext():
        require_known(KNOWN, rows, schema="taskfleet", newer_may_be=True)
    with pytest.raises(SchemaTooNewError):
        require_known(KNOWN, rows, schema="taskfleet")

    assert [row.state for row in status(KNOWN, rows)][3:] == [
        MigrationState.NEWER if oldest is not None and oldest <= 3 else MigrationState.UNKNOWN for oldest in works_from
    ]


def test_a_changed_file_is_refused_with_both_checksums() -> None:
    with pytest.raises(MigrationError, match=r"0002_step2 is applied .* with checksum feedfeedfeed, its file has .* new migration"):
        require_known(KNOWN, {**applied(1), **applied(2, checksum="feed" * 16)}, schema="taskfleet")


def test_a_gap_in_what_is_applied_is_refused() -> None:
    with pytest.raises(MigrationError, match="is at migration 3 but says nothing of 0002"):
        require_known(KNOWN, applied(1, 3), schema="taskfleet")
