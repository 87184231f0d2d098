import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet.client.validation import MOST_ATTEMPTS, prepare, require_size
from taskfleet.errors import InvalidTaskError
from taskfleet.models import NewTask

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)
SELF: list[Any] = []
SELF.append(SELF)
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


def new_task(**fields: Any) -> NewTask:
    return NewTask(**{"kind": "mail.send", **fields})


def test_a_bare_kind_is_a_task_with_defaults() -> None:
    task = prepare(new_task())

    assert task == ("mail.send", None, None, 5, None, 0.0, None, None, None, None, False)


@given(json_values)
def test_every_json_value_is_stored_as_what_it_is(payload: object) -> None:
    stored = prepare(new_task(payload=payload)).payload

    assert (None if stored is None else json.loads(stored)) == payload


@given(texts.filter(lambda text: 1 <= len(text.encode()) <= 512))
def test_every_short_text_is_a_group_an_entity_and_a_key(text: str) -> None:
    task = prepare(new_task(group=text, entity=text, idempotency_key=text))

    assert (task.group, task.entity, task.idempotency_key) == (text, text, text)


@pytest.mark.requirement("E10")
@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param({"user": {"when": datetime(2026, 1, 1, tzinfo=UTC)}}, "payload.user.when is of type datetime", id="a moment"),
        pytest.param([1, {"data": b"x"}], "payload[1].data is of type bytes", id="bytes in a list"),
        pytest.param({"ids": {1, 2}}, "payload.ids is of type set", id="a set"),
        pytest.param({"ratio": float("nan")}, "payload.ratio is nan", id="not a number"),
        pytest.param([float("-inf")], "payload[0] is -inf", id="infinity"),
        pytest.param({"text": "a\0b"}, "payload.text contains a NUL character", id="NUL in a text"),
        pytest.param({"a\0b": 1}, "a key of payload contains a NUL character", id="NUL in a key"),
        pytest.param({"text": "\ud800"}, "payload.text contains half of a surrogate pair", id="half a surrogate pair"),
        pytest.param({(1, 2): 1}, "payload has a key of type tuple", id="a tuple as key"),
        pytest.param(10**5_000, "payload is a number of more than 4,000 digits", id="a huge number"),
        pytest.param(SELF, "is nested more than 200 deep (or contains itself)", id="itself inside"),
        pytest.param(DEEP, "is nested more than 200 deep (or contains itself)", id="very deep"),
    ],
)
def test_a_payload_that_is_no_json_is_refused_with_its_place(payload: object, expected: str) -> None:
    with pytest.raises(InvalidTaskError) as caught:
        prepare(new_task(payload=payload))

    assert str(caught.value).startswith("task of kind 'mail.send': ")
    assert expected in str(caught.value)


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert prepare(new_task(payload="\\u0000")).payload == r'"\\u0000"'


@pytest.mark.requirement("E10")
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"kind": ""}, "kind '' is no name of a kind", id="no kind"),
        pytest.param({"kind": 7}, "kind 7 is no name of a kind", id="a number as kind"),
        pytest.param({"priority": 10}, "priority is 10, it must be a whole number from 0 to 9", id="priority too high"),
        pytest.param({"priority": -1}, "priority is -1", id="priority below 0"),
        pytest.param({"priority": True}, "priority is True", id="a bool as priority"),
        pytest.param({"priority": "5"}, "priority is '5'", id="a text as priority"),
        pytest.param({"max_attempts": 0}, "max_attempts is 0, it must be a whole number from 1 to 1,000", id="no attempt"),
        pytest.param({"run_at": datetime(2026, 1, 1)}, "has no time zone: use datetime.now(UTC)", id="naive moment"),  # noqa: DTZ001
        pytest.param({"run_at": "tomorrow"}, "run_at is of type str, it must be a datetime", id="a text as moment"),
        pytest.param({"run_at": datetime(2026, 1, 1, tzinfo=UTC), "delay_seconds": 5}, "exclude each other", id="moment and delay"),
        pytest.param({"delay_seconds": -1}, "delay_seconds is -1, it must be a number of seconds from 0", id="delay below 0"),
        pytest.param({"delay_seconds": float("nan")}, "delay_seconds is nan", id="delay not a number"),
        pytest.param({"delay_seconds": 1e12}, "delay_seconds is 1000000000000.0", id="delay of ages"),
        pytest.param({"group": ""}, "group has 0 bytes, it must have 1 to 512; None leaves it out", id="empty group"),
        pytest.param({"entity": "ä" * 257}, "entity has 514 bytes", id="long entity"),
        pytest.param({"idempotency_key": "a\0"}, "idempotency_key contains a NUL character", id="NUL in the key"),
        pytest.param({"group": 5}, "group is of type int, it must be a text", id="a number as group"),
        pytest.param({"headers": {"a": 1}}, "headers must map texts to texts", id="a number as header"),
        pytest.param({"headers": ["a"]}, "headers must map texts to texts", id="a list as headers"),
        pytest.param({"headers": {"a": "\0"}}, "headers contains a NUL character", id="NUL in a header"),
        pytest.param({"headers": {str(n): "" for n in range(65)}}, "65 headers of", id="many headers"),
        pytest.param({"headers": {"a": "x" * 9_000}}, "1 headers of 9,008 bytes", id="long headers"),
    ],
)
def test_a_field_that_is_wrong_is_refused_with_what_was_found_and_what_is_allowed(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidTaskError) as caught:
        prepare(new_task(**fields))

    assert expected in str(caught.value)


@pytest.mark.parametrize("priority", range(10))
def test_ten_priorities_are_allowed(priority: int) -> None:
    assert prepare(new_task(priority=priority)).priority == priority


def test_everything_that_is_allowed_arrives() -> None:
    moment = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    fields = {"run_at": moment, "headers": {"traceparent": "00-a-b-01"}, "max_attempts": MOST_ATTEMPTS, "wants_result": True}

    task = prepare(new_task(**fields))

    assert (task.run_at, task.headers) == (moment, '{"traceparent":"00-a-b-01"}')
    assert (task.max_attempts, task.wants_result) == (MOST_ATTEMPTS, True)


@pytest.mark.parametrize(
    ("payload", "most", "fits"),
    [
        pytest.param("x" * 98, 100, True, id="as large as allowed"),
        pytest.param("x" * 99, 100, False, id="one byte more"),
        pytest.param("ä" * 49, 100, True, id="bytes count, not characters"),
        pytest.param("ä" * 50, 100, False, id="two bytes a character"),
        pytest.param(None, 1, True, id="no payload has no size"),
    ],
)
def test_a_payload_may_have_as_many_bytes_as_the_queue_says(payload: object, most: int, *, fits: bool) -> None:
    task = prepare(new_task(payload=payload))

    if fits:
        require_size(task, most=most)
    else:
        with pytest.raises(InvalidTaskError, match=r"its payload has \d+ bytes as JSON, the queue takes 100: keep the data elsewhere"):
            require_size(task, most=most)


@given(texts, st.integers(1, 100))
def test_the_shortcut_of_the_size_check_never_lets_a_large_payload_pass(text: str, most: int) -> None:
    task = prepare(new_task(payload=text))
    assert task.payload is not None
    too_large = len(task.payload.encode()) > most

    try:
        require_size(task, most=most)
    except InvalidTaskError:
        assert too_large
    else:
        assert not too_large
