import pytest

from taskfleet_operator.scaling.limits.guard import Seen, gate, kept_slots, watch
from taskfleet_operator.scaling.memory import Guard
from tests.support.scaling import at

ALLOWED = 100.0


class Fleet:
    """A guard watched tick by tick while a downstream finishes so much a second."""

    def __init__(self, *, capacity: float = 1e9, service: float = 2.0) -> None:
        self.now = at()
        self.guard = Guard()
        self.capacity = capacity
        self.service = service

    def run(
        self, slots: float, *, seconds: float, full: bool = False, backlog: bool = True, steady: bool = True, waiting: float = 0
    ) -> Guard:
        """Keep so many slots, less where the guard gates; more than the capacity bring nothing more."""
        for _ in range(int(seconds / 2)):
            self.now += 2
            allowed = gate(self.guard)
            busy = slots if allowed is None else min(slots, int(allowed))
            finished = int(2 * min(busy, self.capacity) / self.service)
            stretched = self.service * max(1.0, busy / self.capacity)
            sight = Seen(
                running=busy,
                finished=finished,
                seconds=2,
                backlog=backlog,
                waiting=waiting,
                steady=steady,
                full=full,
                service_seconds=stretched,
                allowed_slots=ALLOWED,
            )
            self.guard = watch(self.guard, sight, now=self.now)
        return self.guard


def test_a_scale_up_that_brings_more_is_left_alone() -> None:
    fleet = Fleet()
    fleet.run(40, seconds=30)

    assert gate(fleet.run(80, seconds=60)) is None


def test_a_scale_up_that_brings_nothing_goes_back_to_the_smaller_level() -> None:
    fleet = Fleet(capacity=60)
    fleet.run(60, seconds=60)
    guard = fleet.run(100, seconds=30)

    assert gate(guard) == pytest.approx(1.1 * 60)
    assert kept_slots(guard) == pytest.approx(66)


def test_tasks_that_no_look_meets_at_work_are_no_level() -> None:
    fleet = Fleet()
    sight = Seen(running=0, finished=500, seconds=2, backlog=True, steady=True, full=True, service_seconds=0.001, allowed_slots=ALLOWED)
    for _ in range(60):
        fleet.now += 2
        fleet.guard = watch(fleet.guard, sight, now=fleet.now)

    assert (gate(fleet.guard), fleet.guard.level) == (None, None)


def test_small_steps_add_up() -> None:
    fleet = Fleet(capacity=60)
    for slots in (60, 66, 73, 80):
        fleet.run(slots, seconds=30)

    assert gate(fleet.guard) == pytest.approx(66)


def test_an_old_level_is_no_comparison() -> None:
    fleet = Fleet(capacity=60)
    fleet.run(60, seconds=60)
    fleet.run(60, seconds=700, backlog=False)

    assert gate(fleet.run(100, seconds=30)) is None


@pytest.mark.parametrize(
    "disturbance",
    [
        pytest.param({"backlog": False}, id="no backlog"),
        pytest.param({"steady": False}, id="somebody starts"),
    ],
)
def test_only_steady_windows_are_compared(disturbance: dict[str, bool]) -> None:
    fleet = Fleet(capacity=60)
    fleet.run(60, seconds=60)
    for _ in range(10):
        fleet.run(100, seconds=10)
        fleet.run(100, seconds=2, **disturbance)

    assert gate(fleet.guard) is None


def test_running_tasks_that_vary_are_not_steady() -> None:
    fleet = Fleet(capacity=60)
    fleet.run(60, seconds=60)
    for _ in range(10):
        fleet.run(100, seconds=4)
        fleet.run(70, seconds=4)

    assert gate(fleet.guard) is None


def test_saturation_at_the_maximum_is_found_by_trying_less() -> None:
    """A downstream that carries twenty: from a hundred slots to fifty, to twenty-five, and half of that shows the knee."""
    fleet = Fleet(capacity=20)
    guard = fleet.run(100, seconds=600, full=True)

    assert guard.cap_slots is not None
    assert guard.cap_slots == pytest.approx(21, abs=1)


def test_a_deep_backlog_is_tried_after_one_window_and_a_short_one_after_two() -> None:
    """Fifty tasks a second and 3.2 s a try: 1,600 tasks are ten tries deep."""
    deep, short = Fleet(), Fleet()

    assert gate(deep.run(100, seconds=20, full=True, waiting=1_600)) == pytest.approx(50)
    assert gate(short.run(100, seconds=20, full=True, waiting=1_500)) is None
    assert gate(short.run(100, seconds=16, full=True, waiting=1_500)) == pytest.approx(50)


@pytest.mark.parametrize(
    "capacity", [pytest.param(1e9, id="every slot pays: it is restored"), pytest.param(20, id="nothing is lost: half of half is tried")]
)
def test_a_try_ends_as_soon_as_it_is_plain(capacity: float) -> None:
    """Sixty tasks that should have finished are plain after some seconds, where two hundred would last longer."""
    fleet = Fleet(capacity=capacity)
    while gate(fleet.guard) is None:
        fleet.run(100, seconds=2, full=True)
    began = fleet.now
    while gate(fleet.guard) == pytest.approx(50):
        fleet.run(100, seconds=2, full=True)

    assert fleet.now - began <= 22


def test_a_knee_that_few_tasks_told_is_tried_with_a_fifth_less() -> None:
    """Forty slots were kept before a downstream that carries twenty: 32, 26 and 20 cost nothing, with 16 a fifth would be lost."""
    fleet = Fleet(capacity=20)
    fleet.guard = Guard(cap_slots=40.0, coarse=True, probe_after=1e12)
    guard = fleet.run(100, seconds=600, full=True)

    assert guard.cap_slots == pytest.approx(21, abs=1)
    assert not guard.coarse


def test_a_healthy_fleet_at_its_maximum_is_tried_ever_more_rarely() -> None:
    fleet = Fleet()
    gated = 0
    for _ in range(1800):
        fleet.run(100, seconds=2, full=True)
        gated += gate(fleet.guard) is not None

    assert kept_slots(fleet.guard) is None
    assert fleet.guard.probe_gap_seconds >= 2400
    assert gated * 2 < 0.03 * 3600


def test_a_try_of_fewer_sends_nobody_home() -> None:
    fleet = Fleet()
    while gate(fleet.guard) is None:
        fleet.run(100, seconds=2, full=True)

    assert gate(fleet.guard) == pytest.approx(50)
    assert kept_slots(fleet.guard) is None


def test_a_try_ends_with_the_backlog() -> None:
    fleet = Fleet()
    while gate(fleet.guard) is None:
        fleet.run(100, seconds=2, full=True)

    assert gate(fleet.run(100, seconds=2, backlog=False)) is None


def test_under_a_cap_more_is_tried_and_kept_when_the_downstream_has_grown() -> None:
    fleet = Fleet(capacity=60)
    fleet.run(60, seconds=60)
    fleet.run(100, seconds=30)
    fleet.capacity = 1e9
    guard = fleet.run(100, seconds=900)

    assert gate(guard) is None


def test_under_a_cap_more_is_tried_and_given_up_when_it_pays_nothing() -> None:
    fleet = Fleet(capacity=60)
    fleet.run(60, seconds=60)
    fleet.run(100, seconds=30)
    guard = fleet.run(100, seconds=500)

    assert guard.cap_slots == pytest.approx(66)
    assert guard.probe_gap_seconds == 600


def test_a_try_of_more_keeps_workers_for_it() -> None:
    fleet = Fleet(capacity=60)
    fleet.run(60, seconds=60)
    fleet.run(100, seconds=30)
    while fleet.guard.trial is None:
        fleet.run(100, seconds=2)

    assert kept_slots(fleet.guard) == pytest.approx(1.33 * 66)


def test_a_cap_that_is_not_used_up_is_not_raised() -> None:
    fleet = Fleet(capacity=60)
    fleet.run(60, seconds=60)
    fleet.run(100, seconds=30)
    guard = fleet.run(40, seconds=900)

    assert guard.trial is None
    assert guard.cap_slots == pytest.approx(66)


def test_a_cap_lapses_when_nothing_waits() -> None:
    fleet = Fleet(capacity=60)
    fleet.run(60, seconds=60)
    fleet.run(100, seconds=30)

    assert fleet.run(0, seconds=200, backlog=False).cap_slots is not None
    assert fleet.run(0, seconds=200, backlog=False).cap_slots is None


def test_a_knee_between_half_and_all_is_found_in_one_try() -> None:
    fleet = Fleet(capacity=70)
    guard = fleet.run(100, seconds=300, full=True)

    assert guard.cap_slots == pytest.approx(1.05 * 70, abs=1)


def test_a_fleet_that_finishes_little_is_not_tried_with_less() -> None:
    fleet = Fleet(capacity=3, service=2)

    assert fleet.run(100, seconds=900, full=True).trial is None


def test_a_try_in_which_nothing_finishes_is_given_up() -> None:
    fleet = Fleet(capacity=20)
    while gate(fleet.guard) is None:
        fleet.run(100, seconds=2, full=True)
    fleet.capacity = 0.001

    assert gate(fleet.run(100, seconds=300, full=True)) is not None


def test_few_finished_tasks_prove_nothing() -> None:
    fleet = Fleet(capacity=3, service=2)
    fleet.run(3, seconds=40)

    assert gate(fleet.run(10, seconds=40)) is None
