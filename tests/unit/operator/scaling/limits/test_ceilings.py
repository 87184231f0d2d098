import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_operator.scaling import KindLimits, QueueObservation, Reason, ScalingPolicy
from taskfleet_operator.scaling.limits.ceilings import Limit, lowest, own_limits, useful_slots
from tests.support.scaling import believed, policy, ready, running, seen

A = KindLimits(kind="a", max_concurrent=10)
B = KindLimits(kind="b", max_concurrent=4)
C = KindLimits(kind="c", max_concurrent=2)
RATE = KindLimits(kind="a", rate_starts=2, rate_period_seconds=1)
ALL_WAIT = seen(ready=(ready(5, kind="a"), ready(5, kind="b"), ready(5, kind="c")))


def binding(sight: QueueObservation, rules: ScalingPolicy, *, breakers: dict[str, int] | None = None) -> tuple[float, Reason]:
    estimates = believed(dict.fromkeys("abc", 10.0))
    limit = lowest(own_limits(sight, rules, estimates, breakers=breakers or {}))
    return limit.replicas, limit.reason


@pytest.mark.parametrize(
    ("sight", "rules", "expected"),
    [
        pytest.param(ALL_WAIT, policy(), (100, Reason.MAX_REPLICAS), id="maxReplicas alone"),
        pytest.param(
            ALL_WAIT,
            policy(kinds=(A, B, C), slots_per_replica=4),
            (4, Reason.KIND_QUOTA),
            id="quotas of 10, 4 and 2 keep 16 slots busy, 4 workers of 4",
        ),
        pytest.param(ALL_WAIT, policy(kinds=(A, B)), (100, Reason.MAX_REPLICAS), id="one unlimited kind with work lifts the ceiling"),
        pytest.param(
            seen(ready=(ready(5, kind="a"),), running=(running(1, kind="b"),)),
            policy(kinds=(A, B)),
            (14, Reason.KIND_QUOTA),
            id="only kinds with work count",
        ),
        pytest.param(seen(), policy(kinds=(A,)), (100, Reason.MAX_REPLICAS), id="without work quotas say nothing"),
        pytest.param(
            seen(ready=(ready(9, kind="a"),)), policy(kinds=(RATE,)), (20, Reason.KIND_RATE), id="2 starts a second of 10 s feed 20"
        ),
        pytest.param(
            ALL_WAIT,
            policy(max_concurrent=30, slots_per_replica=4),
            (8, Reason.KIND_QUOTA),
            id="maxConcurrent of the queue in whole workers",
        ),
    ],
)
def test_own_limits(sight: QueueObservation, rules: ScalingPolicy, expected: tuple[float, Reason]) -> None:
    assert binding(sight, rules) == expected


def test_an_open_breaker_leaves_a_probe() -> None:
    assert binding(seen(ready=(ready(5, kind="a"),)), policy(), breakers={"a": 1}) == (1, Reason.BREAKER_OPEN)


def test_the_first_listed_explains_a_tie() -> None:
    one, other = Limit(replicas=5, reason=Reason.MAX_REPLICAS, did=""), Limit(replicas=5, reason=Reason.GLOBAL_CAP, did="")

    assert lowest((one, other)) is one


@given(st.integers(0, 1000), st.integers(1, 1000), st.floats(0.01, 100))
def test_a_higher_quota_or_rate_never_lowers_the_use(quota: int, rate: int, service: float) -> None:
    def useful(quota: int, rate: int) -> float:
        limit = KindLimits(kind="a", max_concurrent=quota, rate_starts=rate)
        return useful_slots(limit, service_seconds=service, breaker=None).slots

    assert useful(quota, rate) <= useful(quota + 1, rate)
    assert useful(quota, rate) <= useful(quota, rate + 1)
