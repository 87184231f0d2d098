from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from taskfleet.store.rows.arrays import bigints, moments, texts, uuids


def test_arrays_are_written_as_postgresql_reads_them() -> None:
    assert bigints([1, -2, 3]) == "{1,-2,3}"
    assert uuids([UUID(int=1)]) == "{00000000-0000-0000-0000-000000000001}"
    assert moments([datetime(2026, 1, 31, 12, tzinfo=UTC)]) == "{2026-01-31T12:00:00+00:00}"
    assert texts(["plain", "", 'quote " and back \\ slash', "comma, {brace}"]) == (
        '{"plain","","quote \\" and back \\\\ slash","comma, {brace}"}'
    )
    assert (bigints([]), uuids([]), texts([]), moments([])) == ("{}",) * 4


@given(st.lists(st.uuids(), max_size=5).flatmap(lambda few: st.lists(st.sampled_from(few)) if few else st.just([])))
def test_repeated_tokens_keep_their_places(values: list[UUID]) -> None:
    assert uuids(values).strip("{}").split(",") == ([str(value) for value in values] or [""])
