"""Fleets that nobody scales."""

from taskfleet_operator.simulation.rivals.fixed import Fixed
from tests.support.scaling import ready, seen, total


def test_it_stays_until_the_time_is_over_and_nothing_is_left() -> None:
    fleet = Fixed(7, until=60)
    idle, busy = seen(totals=(total("enqueued", 1),)), seen(ready=(ready(1),), totals=(total("enqueued", 1),))

    assert [fleet.orders(seen(), now=0).replicas, fleet.orders(idle, now=59).replicas, fleet.orders(busy, now=61).replicas] == [7, 7, 7]
    assert fleet.orders(idle, now=61).replicas == 0
