"""The rate law: what it asks for, and when it lets itself act."""

import pytest

from taskfleet_operator.simulation.rivals.rate_law import RateLaw, RateLawSpec, parallelism
from tests.support.scaling import ready, running, seen, total


@pytest.mark.parametrize(
    ("replicas", "arrivals", "catch_up", "wanted"),
    [
        pytest.param(2, 4.0, 0.0, 6, id="arrivals at 70 % use"),
        pytest.param(5, 4.0, 0.0, 5, id="80 % use lies within the boundary"),
        pytest.param(5, 4.0, 2.0, 8, id="a backlog adds its catch-up rate"),
        pytest.param(20, 4.0, 0.0, 8, id="at most 60 % go at once"),
        pytest.param(2, 400.0, 0.0, 50, id="never above the maximum"),
    ],
)
def test_parallelism(replicas: int, arrivals: float, catch_up: float, wanted: int) -> None:
    assert parallelism(RateLawSpec(max_replicas=50), replicas, per_replica=1.0, arrivals=arrivals, catch_up=catch_up) == wanted


def test_it_starts_with_one_and_waits_for_measurements() -> None:
    law = RateLaw(RateLawSpec(max_replicas=50))

    assert [law.orders(seen(ready=(ready(100),), totals=(total("enqueued", 100),)), now=now).replicas for now in (0, 60)] == [1, 1]


def story(law: RateLaw, *, per_minute: int, replicas: int, minutes: range) -> list[int]:
    """Minute after minute of so many arrivals, all served in a second each."""
    course = []
    for minute in minutes:
        sight = seen(
            replicas=replicas,
            running=(running(1),),
            totals=(total("enqueued", per_minute * minute), total("succeeded", per_minute * minute, busy=per_minute * minute)),
        )
        replicas = law.orders(sight, now=60.0 * minute).replicas
        course.append(replicas)
    return course


def test_it_rests_five_minutes_after_a_change() -> None:
    law = RateLaw(RateLawSpec(max_replicas=50))
    course = story(law, per_minute=600, replicas=4, minutes=range(1, 3))
    busier = [
        law.orders(
            seen(
                replicas=15,
                running=(running(1),),
                totals=(total("enqueued", 6000 * minute), total("succeeded", 600 * minute, busy=600 * minute)),
            ),
            now=60.0 * minute,
        ).replicas
        for minute in range(3, 9)
    ]

    assert course == [4, 15]
    assert busier == [15, 15, 15, 15, 50, 15]


def test_it_shrinks_after_an_hour() -> None:
    course = story(RateLaw(RateLawSpec(max_replicas=50)), per_minute=60, replicas=4, minutes=range(1, 64))

    assert course[60] == 4
    assert course[61] == 2


def test_a_wish_to_grow_ends_the_hour() -> None:
    law = RateLaw(RateLawSpec(max_replicas=50))
    story(law, per_minute=60, replicas=4, minutes=range(1, 50))
    slower = seen(replicas=4, running=(running(1),), totals=(total("enqueued", 3000), total("succeeded", 3000, busy=6000)))
    grown = law.orders(slower, now=3000).replicas

    assert grown > 4
    assert story(law, per_minute=60, replicas=grown, minutes=range(56, 80))[-1] == grown


def test_it_ends_when_somebody_ends_it() -> None:
    law = RateLaw(RateLawSpec(max_replicas=50, until=3600))
    done = seen(replicas=3, totals=(total("enqueued", 10), total("succeeded", 10, busy=10)))

    assert law.orders(done, now=3540).replicas >= 1
    assert law.orders(done, now=3600).replicas == 0
