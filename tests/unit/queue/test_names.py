import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet.names import KIND_PATTERN, QUEUE_PATTERN, validated_kind, validated_queue


@pytest.mark.parametrize("name", ["default", "Mail-2", "a", "a.b_c-d", "x" * 63])
def test_queue_names_that_are_allowed(name: str) -> None:
    assert validated_queue(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", ".", "a b", "ä", "x" * 64, "a\n", 7, None])
def test_queue_names_that_are_refused(name: object) -> None:
    with pytest.raises(ValueError, match="is no name of a queue: 1 to 63 letters"):
        validated_queue(name)


@pytest.mark.parametrize("name", ["mail", "mail.send", "a/b:c", "_private_", "x" * 100])
def test_kind_names_that_are_allowed(name: str) -> None:
    assert validated_kind(name) == name


@pytest.mark.parametrize("name", ["", "/a", "a:", "a b", "x" * 101, "a\0b", b"bytes"])
def test_kind_names_that_are_refused(name: object) -> None:
    with pytest.raises(ValueError, match="is no name of a kind: 1 to 100 letters"):
        validated_kind(name)


def test_a_long_wrong_name_is_shown_shortened() -> None:
    with pytest.raises(ValueError, match="x…") as caught:
        validated_kind("x" * 5_000)

    assert len(str(caught.value)) < 400


@given(st.from_regex(QUEUE_PATTERN, fullmatch=True).filter(lambda name: len(name) <= 63))
def test_every_name_of_the_pattern_is_a_queue(name: str) -> None:
    assert validated_queue(name) == name


@given(st.from_regex(KIND_PATTERN, fullmatch=True).filter(lambda name: len(name) <= 100))
def test_every_name_of_the_pattern_is_a_kind(name: str) -> None:
    assert validated_kind(name) == name
