"""The larger and the smaller of two are what the built-ins say."""

from hypothesis import given
from hypothesis import strategies as st

from taskfleet_operator.scaling.extremes import larger, smaller

numbers = st.integers() | st.floats(allow_nan=False)


@given(numbers, numbers)
def test_they_say_what_the_built_ins_say(one: float, other: float) -> None:
    assert (repr(larger(one, other)), repr(smaller(one, other))) == (repr(max(one, other)), repr(min(one, other)))
