import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import requires

import pytest

from taskfleet.cron import due_tick, next_tick
from taskfleet.errors import InvalidTaskError

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks(cron: str, *, time_zone: str, after: str, count: int) -> list[str]:
    moment, found = at(after), []
    for _ in range(count):
        moment = next_tick(cron, time_zone=time_zone, after=moment)
        found.append(moment.isoformat()[:16])
    return found


@pytest.mark.parametrize(
    ("cron", "time_zone", "after", "expected"),
    {
        "every five minutes": ("*/5 * * * *", "UTC", "2026-01-01T00:01", ["2026-01-01T00:05", "2026-01-01T00:10"]),
        "six in Berlin in winter": ("0 6 * * *", BERLIN, "2026-01-01T00:00", ["2026-01-01T05:00", "2026-01-02T05:00"]),
        "the clock goes forward": ("0 6 * * *", BERLIN, "2026-03-28T00:00", ["2026-03-28T05:00", "2026-03-29T04:00"]),
        "the clock goes back": ("0 6 * * *", BERLIN, "2026-10-24T00:00", ["2026-10-24T04:00", "2026-10-25T05:00"]),
        "half past two is skipped and comes at three": ("30 2 * * *", BERLIN, "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        "half past two comes twice and counts once": ("30 2 * * *", BERLIN, "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        "every hour counts both": ("30 * * * *", BERLIN, "2026-10-24T23:45", ["2026-10-25T00:30", "2026-10-25T01:30", "2026-10-25T02:30"]),
        "the last day of the month": ("0 0 L * *", "UTC", "2026-02-01T00:00", ["2026-02-28T00:00", "2026-03-31T00:00"]),
        "names of days": ("15 10 * * MON", "UTC", "2026-01-01T00:00", ["2026-01-05T10:15"]),
    }.values(),
)
def test_ticks_of_a_schedule(cron: str, time_zone: str, after: str, expected: list[str]) -> None:
    assert ticks(cron, time_zone=time_zone, after=after, count=len(expected)) == expected


def test_missed_ticks_are_one_catch_up_for_the_latest() -> None:
    actual = due_tick("*/5 * * * *", time_zone="UTC", due_at=at("2026-01-01T00:05"), now=at("2026-01-01T03:07"))

    assert actual == (at("2026-01-01T03:05"), at("2026-01-01T03:10"))


def test_a_tick_that_has_just_come_is_itself() -> None:
    due = at("2026-01-01T00:05")

    assert due_tick("*/5 * * * *", time_zone="UTC", due_at=due, now=due + timedelta(seconds=1)) == (due, at("2026-01-01T00:10"))


def test_years_of_missed_seconds_are_not_counted_through() -> None:
    tick, following = due_tick("* * * * * *", time_zone="UTC", due_at=at("2020-01-01T00:00"), now=at("2026-01-01T00:00"))

    assert tick < following
    assert following == at("2026-01-01T00:00:01")


@pytest.mark.parametrize(
    ("cron", "time_zone", "sentence"),
    [
        ("five past", "UTC", "is no cron expression"),
        ("61 * * * *", "UTC", "is no cron expression"),
        ("* * * * *", "Mars/Olympus", "time zone 'Mars/Olympus' does not exist"),
        ("* * * * *", "../etc", "does not exist"),
        ("0 0 30 2 *", "UTC", "never ticks|is no cron expression"),
    ],
)
def test_what_is_no_schedule_is_refused(cron: str, time_zone: str, sentence: str) -> None:
    with pytest.raises(InvalidTaskError, match=sentence):
        next_tick(cron, time_zone=time_zone, after=at("2026-01-01T00:00"))


def test_zones_are_known_where_the_system_has_none() -> None:
    """As in slim images: the data comes with the package."""
    ask = (
        "import datetime, taskfleet.cron as cron\n"
        "print(cron.next_tick('0 6 * * *', time_zone='Europe/Berlin', after=datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)))"
    )
    environment = {**os.environ, "PYTHONTZPATH": ""}
    asked = subprocess.run([sys.executable, "-c", ask], env=environment, check=True, capture_output=True, text=True)

    assert asked.stdout.strip() == "2026-07-01 04:00:00+00:00"
    assert any(requirement.startswith("tzdata") for requirement in requires("taskfleet") or ())
