from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet.client.batches import CHUNK_ROWS, PlacedTask, PreparedBatches, alongside, followed_by, ledger_groups, ready_rows, task_lines
from taskfleet.client.validation import prepare
from taskfleet.errors import InvalidTaskError
from taskfleet.models import NewTask

NOW = datetime(2026, 3, 1, 12, 0, 3, 500_000, tzinfo=UTC)


def placed(task: NewTask, *, task_id: int = 1, kind_id: int = 7, run_at: datetime = NOW) -> PlacedTask:
    return PlacedTask(task_id, kind_id, run_at, prepare(task))


def test_a_task_becomes_one_line_with_nulls_where_nothing_is() -> None:
    (text,) = task_lines([placed(NewTask(kind="mail"))], now=NOW)

    assert text == "1\t7\t\\N\tf\t2026-03-01T12:00:03.500000+00:00\t\\N\t\\N\t\\N\t\\N\t\\N\n"


def test_what_copy_reads_as_control_is_escaped() -> None:
    (text,) = task_lines([placed(NewTask(kind="mail", payload="a\\b\n", group="g\tg\r\n\\N", entity="e"))], now=NOW)

    assert text.split("\t")[5:] == [r'"a\\\\b\\n"', r"\N", r"g\tg\r\n\\N", "e", "\\N\n"]


def test_a_ready_row_has_the_moment_twice() -> None:
    head, row, end = ready_rows([placed(NewTask(kind="mail", priority=2))])

    moment = (825_681_603_500_000).to_bytes(8)
    assert row == b"".join(
        [(5).to_bytes(2)]
        + [len(column).to_bytes(4) + column for column in ((1).to_bytes(8), moment, moment, (7).to_bytes(4), (2).to_bytes(2))]
    )
    assert (head, end) == (b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", b"\xff\xff")


def test_lines_come_some_hundred_at_a_time() -> None:
    tasks = [placed(NewTask(kind="mail"), task_id=n) for n in range(2 * CHUNK_ROWS + 1)]

    row = len(list(ready_rows(tasks[:1]))[1])
    assert [chunk.count("\n") for chunk in task_lines(tasks, now=NOW)] == [CHUNK_ROWS, CHUNK_ROWS, 1]
    assert [len(chunk) / row for chunk in list(ready_rows(tasks))[1:-1]] == [CHUNK_ROWS, CHUNK_ROWS, 1]


def test_the_ledger_gets_one_group_a_kind_priority_and_bucket() -> None:
    tasks = [
        placed(NewTask(kind="a"), kind_id=1),
        placed(NewTask(kind="a"), kind_id=1, run_at=NOW + timedelta(seconds=1.4)),
        placed(NewTask(kind="a"), kind_id=1, run_at=NOW + timedelta(seconds=1.5)),
        placed(NewTask(kind="a", priority=0), kind_id=1),
        placed(NewTask(kind="b"), kind_id=2),
    ]

    groups = {(group.kind_id, group.priority, group.bucket.second): group.count for group in ledger_groups(tasks)}

    assert groups == {(1, 5, 0): 2, (1, 5, 5): 1, (1, 0, 0): 1, (2, 5, 0): 1}


@given(st.lists(st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC))))  # noqa: DTZ001 - hypothesis wants it naive
def test_every_task_is_in_the_group_of_its_five_seconds(moments: list[datetime]) -> None:
    groups = ledger_groups([placed(NewTask(kind="a"), run_at=moment) for moment in moments])

    assert sum(group.count for group in groups) == len(moments)
    assert all(any(timedelta(0) <= moment - group.bucket < timedelta(seconds=5) for group in groups) for moment in moments)
    assert all(group.bucket.second % 5 == 0 and group.bucket.microsecond == 0 for group in groups)


def test_batches_are_taken_from_the_iterable_only_when_fetched() -> None:
    taken: list[int] = []

    def tasks() -> Iterator[NewTask]:
        for number in range(5):
            taken.append(number)
            yield NewTask(kind=f"kind{number}")

    batches = PreparedBatches(tasks(), size=2)
    before = list(taken)
    batches.fetch()
    batches.fetch()
    fetched = list(taken)

    assert (before, fetched) == ([], [0, 1])
    assert [[task.kind for task in batches.take()] for _ in range(4)] == [["kind0", "kind1"], ["kind2", "kind3"], ["kind4"], []]


def test_a_wrong_task_is_named_by_its_position_in_all_batches() -> None:
    batches = PreparedBatches([NewTask(kind="a"), NewTask(kind="a"), NewTask(kind="a", priority=77)], size=2)
    batches.take()

    with pytest.raises(InvalidTaskError, match="task 2 of the batch: task of kind 'a': priority is 77"):
        batches.take()


def test_work_is_done_after_the_last_chunk_and_before_the_end() -> None:
    order: list[str] = []

    order.extend(followed_by(lambda: order.append("work"), ["a", "b"]))

    assert order == ["a", "b", "work"]


def test_next_batch_is_prepared_in_parts() -> None:
    batches = PreparedBatches((NewTask(kind=f"kind{number}") for number in range(5)), size=3)
    order: list[str] = []

    order.extend(alongside(lambda: batches.fetch(2), ["a", "b", "c"]))

    assert order == ["a", "b", "c"]
    assert [[task.kind for task in batches.take()] for _ in range(3)] == [["kind0", "kind1", "kind2"], ["kind3", "kind4"], []]
