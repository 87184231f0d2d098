"""Age profiles from parallel columns."""

from collections.abc import Sequence

import pytest

from taskfleet.store.rows.measurements import Backlog

NOW = 1_000_000.5

PROFILES: dict[str, tuple[Sequence[int], Sequence[int], Sequence[tuple[int, float]]]] = {
    "each bucket once": ([999_990, 999_900], [3, 4], [(3, 10.5), (4, 100.5)]),
    "parts of a bucket are added up": ([999_900, 999_990, 999_900], [4, 3, -1], [(3, 100.5), (3, 10.5)]),
    "an empty bucket is none": ([999_900, 999_990, 999_900], [4, 3, -4], [(3, 10.5)]),
    "a sum below zero waits for its other half": ([999_900, 999_990], [-4, 3], [(3, 10.5)]),
    "a bucket that begins now is due": ([1_000_000], [2], [(2, 0.5)]),
    "nothing is due": ([1_000_005], [2], []),
}


@pytest.mark.parametrize("case", PROFILES)
def test_profile(case: str) -> None:
    starts, deltas, expected = PROFILES[case]

    backlog = Backlog.of([("send", 5, starts, deltas)], now=NOW)

    assert [place for profile in backlog.ready for place in zip(profile.counts, profile.ages, strict=True)] == expected


def test_future_is_counted_whole_and_what_is_due_within_a_minute() -> None:
    profiles = [("send", 5, [1_000_060, 1_000_065, 999_900], [3, 4, 1]), ("send", 6, [1_000_005, 1_000_010], [5, -1])]

    backlog = Backlog.of(profiles, now=NOW)

    assert (backlog.scheduled, backlog.scheduled_soon, len(backlog.ready)) == (12, 8, 1)


def test_profile_knows_its_sum_and_its_oldest() -> None:
    (profile,) = Backlog.of([("send", 5, [999_990, 999_900], [3, 4])], now=NOW).ready

    assert (profile.kind, profile.priority, profile.count, profile.oldest_seconds) == ("send", 5, 7, 100.5)
