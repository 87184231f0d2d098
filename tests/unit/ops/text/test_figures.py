from datetime import UTC, datetime, timedelta, timezone

import pytest

from taskfleet_ops.text import figures

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 ms"),
        (0.0204, "20 ms"),
        (0.9999, "1.0 s"),
        (4.21, "4.2 s"),
        (42, "42 s"),
        (59.7, "1 min"),
        (92, "1 min 32 s"),
        (3_599, "59 min 59 s"),
        (3_600, "1 h"),
        (7_500, "2 h 5 min"),
        (86_399, "24 h"),
        (252_000, "2 d 22 h"),
    ],
)
def test_spans_read_in_the_two_units_that_matter(seconds: float, expected: str) -> None:
    actual = figures.span(seconds)

    assert actual == expected


@pytest.mark.parametrize(("part", "whole", "expected"), [(1, 8, "12.5 %"), (0, 0, "–"), (3, 3, "100.0 %")])
def test_shares_of_nothing_are_a_dash(part: float, whole: float, expected: str) -> None:
    actual = figures.percent(part, whole)

    assert actual == expected


@pytest.mark.parametrize(
    ("when", "expected"),
    [(None, "–"), (NOON - timedelta(seconds=90), "1 min 30 s ago"), (NOON + timedelta(seconds=5), "in 5.0 s")],
)
def test_moments_are_told_relative_to_now(when: datetime | None, expected: str) -> None:
    actual = figures.ago(when, now=NOON)

    assert actual == expected


def test_moments_keep_their_offset() -> None:
    actual = [figures.moment(None), figures.moment(NOON.astimezone(timezone(timedelta(hours=2))))]

    assert actual == ["–", "2026-03-01 14:00:00+02:00"]


def test_counts_have_separators() -> None:
    actual = figures.count(88_000.4)

    assert actual == "88,000"
