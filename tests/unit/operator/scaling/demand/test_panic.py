import pytest

from taskfleet_operator.scaling import Lanes
from taskfleet_operator.scaling.demand.panic import panics
from taskfleet_operator.scaling.demand.work import admissible_work
from tests.support.scaling import believed, policy, ready, seen

HOUR = 3600.0


@pytest.mark.requirement("A3")
@pytest.mark.parametrize(
    ("waiting", "age", "service", "have", "expected"),
    [
        pytest.param(88_000, 0, 10.0, 0, True, id="88,000 tasks from nothing"),
        pytest.param(1_001, 0, 1.0, 0, True, id="a thousand and one seconds outlast a slack of 84"),
        pytest.param(1_000, 0, 1.0, 0, False, id="a thousand tasks are no panic"),
        pytest.param(1_100, 0, 0.01, 0, False, id="1,100 tasks of 10 ms are done in 11 s"),
        pytest.param(2_000, 0, 1.0, 30, False, id="thirty slots are done with 2,000 in 67 s"),
        pytest.param(3_000, HOUR, 1.0, 0, False, id="3,000 old one-second tasks may take their hour"),
        pytest.param(88_000, HOUR, 1.0, 8, True, id="88,000 old tasks would take three hours"),
    ],
)
def test_panic(waiting: int, age: float, service: float, have: int, expected: bool) -> None:
    rules = policy(max_wait_seconds=120, lanes=Lanes(fresh_seconds=900, stale_wait_seconds=HOUR))
    work = admissible_work(seen(ready=(ready(waiting, age=age),)), rules, believed(service), running={}, breakers={})

    assert panics(work, rules, believed(service), slots=have) is expected
