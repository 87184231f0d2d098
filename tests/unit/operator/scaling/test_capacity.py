import pytest

from taskfleet_operator.scaling.capacity import capacity, reduced
from tests.support.scaling import policy, running, seen, slots, worker


def test_draining_workers_offer_nothing() -> None:
    sight = seen(
        worker(1, slots=4, leases=1),
        worker(2, slots=4, leases=3, draining=True),
        worker(3, slots=4, chosen=True),
        worker(4, slots=4, leaving=True),
        starting=2,
    )
    fleet = capacity(sight, policy(slots_per_replica=4))

    assert (fleet.slots, fleet.idle, fleet.starting, fleet.pods, fleet.busy_slots) == (12, 3, 8, 3, 1)
    assert fleet.running == {"task": 4}
    assert fleet.busy == {"task": 1}


def test_workers_without_leases_are_not_busy() -> None:
    fleet = capacity(seen(worker(1, draining=True, leases=2), running=(running(2),)), policy())

    assert fleet.busy == {"task": 0}


@pytest.mark.parametrize(
    ("fewer", "expected"),
    [
        pytest.param(2, (8, 4, 1, 3.0), id="starting slots go first"),
        pytest.param(5, (5, 2, 0, 3.0), id="then idle ones"),
        pytest.param(8, (2, 0, 0, 2.0), id="then busy ones"),
        pytest.param(99, (0, 0, 0, 0.0), id="no more than there are"),
    ],
)
def test_reduced(fewer: int, expected: tuple[int, int, int, float]) -> None:
    less = reduced(slots(busy=3, idle=4, starting=3), fewer)

    assert (less.slots, less.idle, less.starting, less.busy["task"]) == pytest.approx(expected)


def test_a_fleet_without_busy_slots_can_be_reduced() -> None:
    assert reduced(slots(idle=3), 2).idle == 1
