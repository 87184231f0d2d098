from hypothesis import given
from hypothesis import strategies as st

from taskfleet_ops.demo.downstream.bucket import TokenBucket


def taken(bucket: TokenBucket, *, tries: int, now: float) -> int:
    return sum(bucket.take(now=now) for _ in range(tries))


def test_a_crowd_gets_the_reserve_and_no_more() -> None:
    bucket = TokenBucket(rate=800, burst=40, now=0)

    actual = [taken(bucket, tries=64, now=0), taken(bucket, tries=64, now=0.25), taken(bucket, tries=64, now=0.26)]

    assert actual == [40, 40, 8]


@given(st.lists(st.floats(0, 0.1), max_size=200))
def test_no_interval_gets_more_than_rate_and_reserve(pauses: list[float]) -> None:
    bucket = TokenBucket(rate=100, burst=5, now=0)
    now, granted = 0.0, 0
    for pause in pauses:
        now += pause
        granted += bucket.take(now=now)

    assert granted <= 5 + 100 * now + 1e-6
