import logging
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet.client.known_queue import KnownQueue, Look
from taskfleet.errors import QueueFullError


def look(*, length: int = 0, max_length: int | None = None, warn_length: int | None = None, kinds: dict[str, int] | None = None) -> Look:
    kinds = {"mail": 1} if kinds is None else kinds
    return Look(
        kinds=list(kinds),
        kind_ids=list(kinds.values()),
        length=length,
        max_length=max_length,
        warn_length=warn_length,
        max_payload_bytes=100,
    )


def known(seen: Look, *, now: float = 0.0) -> KnownQueue:
    queue = KnownQueue("orders")
    queue.learn(seen, now=now)
    return queue


def test_a_queue_nobody_has_looked_at_must_be_looked_at() -> None:
    assert KnownQueue("orders").must_look(adding=0, now=0.0)


@pytest.mark.parametrize(
    ("adding", "now", "expected"),
    [
        pytest.param(1, 0.5, False, id="a fresh look at a queue with room is enough"),
        pytest.param(1, 1.5, True, id="a look ages"),
        pytest.param(90, 0.5, False, id="a tenth of the room may be used on one look"),
        pytest.param(91, 0.5, True, id="more than a tenth of the room asks for a look"),
    ],
)
def test_when_a_queue_must_be_looked_at(adding: int, now: float, *, expected: bool) -> None:
    queue = known(look(length=100, max_length=1_000))

    assert queue.must_look(adding=adding, now=now) is expected


def test_without_limits_only_age_asks_for_a_look() -> None:
    queue = known(look())

    assert [queue.must_look(adding=1_000_000, now=now) for now in (0.5, 1.5)] == [False, True]


def test_the_warning_bound_ahead_counts_as_room_and_behind_it_does_not() -> None:
    before = known(look(length=90, warn_length=100, max_length=10_000))
    behind = known(look(length=100, warn_length=100, max_length=10_000))

    assert [queue.must_look(adding=2, now=0.0) for queue in (before, behind)] == [True, False]


def test_what_was_added_since_the_look_counts() -> None:
    queue = known(look(length=0, max_length=100))
    queue.count(10)

    assert queue.must_look(adding=1, now=0.0)
    with pytest.raises(QueueFullError, match="holds 10 tasks, its limit is 100; 91 more do not fit"):
        queue.require_room(91)


@given(st.integers(0, 1_000), st.integers(0, 1_000), st.integers(1, 1_000))
def test_tasks_fit_exactly_up_to_the_limit(length: int, limit: int, adding: int) -> None:
    queue = known(look(length=length, max_length=limit))

    refused = (
        nullcontext()
        if length + adding <= limit
        else pytest.raises(QueueFullError, match=f"holds {length:,} tasks, its limit is {limit:,}")
    )

    with refused:
        queue.require_room(adding)


def test_forgetting_asks_for_a_look_and_leaves_those_who_read_alone() -> None:
    queue = known(look(kinds={"mail": 1}))
    read = queue.ids_of(["mail"])
    queue.forget()

    assert queue.must_look(adding=0, now=0.0)
    assert (read, queue.ids_of(["mail"]), queue.max_payload_bytes) == ({"mail": 1}, None, 100)
    queue.require_room(1)


def test_kinds_add_up_over_looks() -> None:
    queue = known(look(kinds={"mail": 1}))
    queue.learn(look(kinds={"sms": 2}), now=0.0)

    assert queue.ids_of(["mail", "sms", "mail"]) == {"mail": 1, "sms": 2}
    assert queue.ids_of(["mail", "push"]) is None


@pytest.mark.requirement("E5")
def test_crossing_a_bound_of_the_length_is_logged_once_each_way(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="taskfleet.producer")
    queue = KnownQueue("orders")

    for length in (0, 50, 80, 90, 100, 100, 85, 10, 10):
        queue.learn(look(length=length, warn_length=80, max_length=100), now=0.0)

    assert [(record.message, record.levelname) for record in caplog.records] == [
        ("queue.long", "WARNING"),
        ("queue.full", "WARNING"),
        ("queue.long", "WARNING"),
        ("queue.normal", "INFO"),
    ]
    assert vars(caplog.records[0])["length"] == 80
