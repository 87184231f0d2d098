import pytest

from taskfleet_operator.scaling import QueueObservation, Worker
from taskfleet_operator.scaling.surplus.leavers import Bounds, Crew, fewer, more, swap
from tests.support.scaling import crew, numbers, seen, worker

ANY = 10**6


def shrunk(sight: QueueObservation, *, pods: int = ANY, slots: float = 0, least: int = 0, per_pod: int = 4) -> Crew:
    return fewer(sight, Bounds(pods=pods, slots=slots, least_pods=least), slots_per_pod=per_pod)


BUSY = crew([3, 0, 2, 4], slots=4)


@pytest.mark.parametrize(
    ("slots", "least", "expected"),
    [
        pytest.param(16, 0, [], id="all slots are wanted"),
        pytest.param(13, 0, [], id="a part of a worker cannot go"),
        pytest.param(12, 0, [2], id="the worker without leases goes first"),
        pytest.param(8, 0, [2, 3], id="then the one with the fewest"),
        pytest.param(0, 3, [2], id="never below the least number"),
    ],
)
def test_whole_workers_go_while_their_slots_are_not_wanted(slots: float, least: int, expected: list[int]) -> None:
    assert numbers(shrunk(seen(*BUSY), slots=slots, least=least).drain) == expected


def test_above_a_ceiling_workers_go_however_many_slots_are_wanted() -> None:
    assert numbers(shrunk(seen(*BUSY), pods=1, slots=99).drain) == [1, 2, 3]


def test_nobody_busy_is_removed() -> None:
    """Twenty busy workers, ten no longer needed: ten are marked, none is removed."""
    sight = seen(*crew([1] * 20))
    marked = shrunk(sight, pods=10, slots=20, per_pod=1)

    assert len(marked.drain) == 10
    assert marked.removable == ()


def test_replicas_that_have_not_started_go_first() -> None:
    gone = shrunk(seen(*BUSY, starting=2), slots=12)

    assert gone.surplus_starting == 2
    assert numbers(gone.drain) == [2]


def test_a_worker_that_is_not_ready_and_free_goes_before_a_ready_one() -> None:
    sight = seen(worker(1, slots=4), worker(2, slots=4, ready=False), worker(3, slots=4, leases=1, ready=False))

    assert numbers(shrunk(sight, slots=8).drain) == [2]


def drained(number: int, *, leases: int = 0, **flags: object) -> Worker:
    return worker(number, slots=4, leases=leases, draining=True, drained=True, **flags)


@pytest.mark.parametrize(
    ("sight", "expected"),
    [
        pytest.param(seen(drained(1)), [1], id="a drained worker may go"),
        pytest.param(seen(worker(1, draining=True)), [], id="one that has not said so may not"),
        pytest.param(seen(drained(1, leases=1)), [], id="one with a lease may not"),
        pytest.param(seen(drained(1, leaving=True)), [], id="one that goes already is not named again"),
        pytest.param(seen(drained(1, chosen=True)), [1], id="a chosen one stays named"),
        pytest.param(seen(drained(1), worker(2, leases=1, ready=False)), [], id="nobody goes while a NotReady pod holds a lease"),
        pytest.param(seen(drained(1, chosen=True), starting=1), [], id="nobody goes while a wanted replica starts"),
        pytest.param(seen(drained(1), rollout=True), [], id="nobody goes during a rollout"),
    ],
)
def test_removable(sight: QueueObservation, expected: list[int]) -> None:
    assert numbers(swap(sight, Crew()).removable) == expected


def test_a_marked_worker_that_is_up_and_free_replaces_one_that_starts() -> None:
    swapped = swap(seen(drained(1), drained(3), worker(2, slots=4, leases=2, draining=True), starting=1), Crew())

    assert numbers(swapped.undrain) == [1]
    assert swapped.surplus_starting == 1
    assert numbers(swapped.removable) == [3]


def test_marked_workers_come_back_before_new_ones_start_the_freest_first() -> None:
    sight = seen(worker(1, draining=True), worker(2, draining=True, leases=1), worker(3, draining=True, leaving=True))

    assert more(sight, pods=1) == Crew(undrain=(sight.workers[0].session_id,))
    assert more(sight, pods=5).grow == 3
    assert numbers(more(sight, pods=5).undrain) == [1, 2]


def test_a_chosen_worker_never_comes_back() -> None:
    assert more(seen(drained(1, chosen=True)), pods=1) == Crew(grow=1)
