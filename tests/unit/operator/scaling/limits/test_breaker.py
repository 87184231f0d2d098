import pytest

from taskfleet_operator.scaling.limits.breaker import watch
from taskfleet_operator.scaling.memory import KindMemory, KindTotals
from tests.support.scaling import at

ALLOWED = 8.0


class Kind:
    """One kind watched tick by tick."""

    def __init__(self) -> None:
        self.now = at()
        self.memory = watch(KindMemory(), KindTotals(), now=self.now, allowed_slots=ALLOWED)

    def see(self, *, good: int = 0, overloaded: int = 0, faulted: int = 0, departed: int = 0, seconds: float = 2.0) -> int | None:
        """So much happens in the next seconds; returns the slots that the breaker leaves."""
        self.now += seconds
        happened = KindTotals(succeeded=good, overloaded=overloaded, faulted=faulted, departed=departed)
        self.memory = watch(self.memory, happened, now=self.now, allowed_slots=ALLOWED)
        return None if self.memory.breaker is None else self.memory.breaker.slots


@pytest.mark.parametrize(
    ("happens", "expected"),
    [
        pytest.param({"faulted": 18, "good": 2}, 1, id="ninety percent failures open it"),
        pytest.param({"overloaded": 20}, 1, id="overload opens it"),
        pytest.param({"faulted": 17, "good": 3}, None, id="less does not"),
        pytest.param({"faulted": 19}, None, id="nineteen are not enough"),
        pytest.param({"departed": 500}, None, id="permanent failures are ignored"),
    ],
)
def test_opening(happens: dict[str, int], expected: int | None) -> None:
    assert Kind().see(**happens) == expected


def test_failures_add_up_within_a_window() -> None:
    kind = Kind()

    assert kind.see(faulted=10) is None
    assert kind.see(faulted=10) == 1


def test_a_new_window_forgets_the_old_one() -> None:
    kind = Kind()
    kind.see(faulted=10)
    kind.see(good=1, seconds=15)

    assert kind.see(faulted=10) is None


def test_a_quiet_kind_is_left_alone() -> None:
    kind = Kind()
    before = kind.memory
    kind.see(seconds=60)

    assert kind.memory is before


def test_a_probe_lasts_thirty_seconds_and_twice_as_long_each_time_it_fails() -> None:
    kind = Kind()
    kind.see(faulted=20)
    pauses = []
    for _ in range(5):
        assert kind.memory.breaker is not None
        pauses.append(kind.memory.breaker.pause_seconds)
        assert kind.see(faulted=1, seconds=kind.memory.breaker.pause_seconds - 1) == 1
        assert kind.see(seconds=1) == 1

    assert pauses == [30, 60, 120, 240, 300]


def test_a_probe_waits_for_an_answer() -> None:
    kind = Kind()
    kind.see(faulted=20)

    assert kind.see(seconds=100) == 1
    assert kind.see(good=1) == 2


def test_after_a_good_probe_it_doubles_until_it_closes() -> None:
    kind = Kind()
    kind.see(faulted=20)

    assert [kind.see(good=1, seconds=30), kind.see(good=9, seconds=15), kind.see(good=9, seconds=15)] == [2, 4, None]


def test_growing_again_waits_for_its_window() -> None:
    kind = Kind()
    kind.see(faulted=20)
    kind.see(good=1, seconds=30)

    assert kind.see(good=9, seconds=14) == 2


def test_a_relapse_opens_it_again_for_longer() -> None:
    kind = Kind()
    kind.see(faulted=20)
    kind.see(good=1, seconds=30)

    assert kind.see(faulted=9, seconds=15) == 1
    assert kind.memory.breaker is not None
    assert kind.memory.breaker.pause_seconds == 60
