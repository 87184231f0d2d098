import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet.json_text import encoder

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
ENCODERS = {
    "as it comes": json.JSONEncoder(default=str),
    "compact": json.JSONEncoder(default=str, ensure_ascii=False, separators=(",", ":"), sort_keys=True),
    "indented": json.JSONEncoder(default=str, indent=1),
}


@pytest.mark.parametrize("name", ENCODERS)
@given(value=VALUES)
def test_text_is_what_the_given_encoder_gives(name: str, value: object) -> None:
    assert encoder(ENCODERS[name])(value) == ENCODERS[name].encode(value)


def test_text_is_the_same_without_the_encoder_in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"text": "ä\n\\", "numbers": [1, 2.5, True, None], "nested": {"day": date(2026, 1, 1)}}
    quick = encoder(ENCODERS["compact"])(value)
    monkeypatch.setattr("json.encoder.c_make_encoder", None)

    slow = encoder(ENCODERS["compact"])(value)

    assert quick == slow == '{"nested":{"day":"2026-01-01"},"numbers":[1,2.5,true,null],"text":"ä\\n\\\\"}'


def test_a_value_that_contains_itself_is_no_text() -> None:
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(RecursionError):
        encoder(json.JSONEncoder())(endless)
