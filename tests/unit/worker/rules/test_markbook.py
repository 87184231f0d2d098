from datetime import UTC, datetime, timedelta

import pytest

from taskfleet.models import ClaimedTask, Mark
from taskfleet_worker.rules.markbook import MarkBook
from tests.support.workers import claimed_task

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def mark(seconds: float, *, kind: str = "mail", priority: int = 5) -> Mark:
    return Mark(kind=kind, priority=priority, run_at=at(seconds))


def task(seconds: float, *, kind: str = "mail", priority: int = 5) -> ClaimedTask:
    return claimed_task(kind=kind, priority=priority, run_at=at(seconds))


def book(*marks: Mark) -> MarkBook:
    found = MarkBook()
    found.refreshed(marks, now=0.0)
    return found


@pytest.mark.requirement("A4")
def test_a_claim_raises_how_far_claims_have_come_and_keeps_the_oldest() -> None:
    marks = book(mark(0))
    marks.claimed([task(30), task(20), task(40)])

    assert marks.marks(["mail"], now=1.0, trusted_seconds=5.0) == [mark(20), mark(0)]


def test_until_a_claim_one_mark_says_both() -> None:
    assert book(mark(10)).marks(["mail"], now=1.0, trusted_seconds=5.0) == [mark(10)]


@pytest.mark.requirement("A7")
def test_a_claim_of_fresh_tasks_does_not_hide_old_ones() -> None:
    marks = book(mark(0), mark(100))
    marks.claimed([task(150)])

    assert marks.marks(["mail"], now=1.0, trusted_seconds=5.0) == [mark(150), mark(0)]


def test_a_claim_of_old_tasks_lowers_no_mark() -> None:
    marks = book(mark(100))
    marks.claimed([task(20)])

    assert marks.marks(["mail"], now=1.0, trusted_seconds=5.0) == [mark(100)]


def test_kinds_and_priorities_have_marks_of_their_own() -> None:
    marks = book(mark(0), mark(0, priority=1), mark(0, kind="fax"))
    marks.claimed([task(20)])

    assert marks.marks(["mail"], now=1.0, trusted_seconds=5.0) == [mark(20), mark(0, priority=1), mark(0)]


def test_a_kind_without_a_mark_gets_none_from_a_claim() -> None:
    marks = book()
    marks.claimed([task(20)])

    assert marks.marks(["mail"], now=1.0, trusted_seconds=5.0) == []


def test_marks_are_not_trusted_for_long_without_a_refresh() -> None:
    marks = book(mark(0))

    assert marks.marks(["mail"], now=5.1, trusted_seconds=5.0) == ()


def test_a_refresh_replaces_every_mark() -> None:
    marks = book(mark(50), mark(50, kind="fax"))
    marks.refreshed([mark(10)], now=2.0)

    assert marks.marks(["mail", "fax"], now=2.0, trusted_seconds=5.0) == [mark(10)]
