"""The marks in the tests and the table of requirements speak of the same ids."""

from scripts.requirements import proofs, requirements


def test_every_marked_requirement_is_in_the_table() -> None:
    unknown = {mark: places for mark, places in proofs().items() if mark not in requirements()}

    assert unknown == {}


def test_the_table_holds_every_row() -> None:
    ids = list(requirements())

    assert (ids[0], ids[-1], len(ids)) == ("K1", "E10", 54)
