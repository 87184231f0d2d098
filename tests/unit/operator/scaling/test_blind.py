import pytest

from taskfleet_operator.scaling import BlindBehavior, OnDatabaseError, Reason, decide_blind
from tests.support.scaling import policy


@pytest.mark.parametrize(
    ("behavior", "failures", "replicas", "expected"),
    [
        pytest.param(BlindBehavior.CURRENT_REPLICAS, 9, 4, 4, id="current replicas stay"),
        pytest.param(BlindBehavior.CURRENT_REPLICAS_IF_HIGHER, 9, 4, 6, id="few current replicas rise to the given number"),
        pytest.param(BlindBehavior.CURRENT_REPLICAS_IF_HIGHER, 9, 8, 8, id="more current replicas stay"),
        pytest.param(BlindBehavior.STATIC, 9, 4, 6, id="static raises"),
        pytest.param(BlindBehavior.STATIC, 9, 8, 8, id="static lowers nobody who may be busy"),
        pytest.param(BlindBehavior.STATIC, 2, 4, 4, id="below the threshold nothing changes"),
    ],
)
def test_blind_replicas(behavior: BlindBehavior, failures: int, replicas: int, expected: int) -> None:
    rules = policy(on_database_error=OnDatabaseError(behavior=behavior, replicas=6))

    decision = decide_blind(rules, replicas=replicas, failures=failures, error="connection refused")

    assert decision.replicas == expected


def test_the_decision_says_what_it_could_not_see() -> None:
    decision = decide_blind(policy(), replicas=4, failures=2, error="connection refused")

    assert decision.reason is Reason.DATABASE_UNREACHABLE
    assert decision.message == (
        "4 workers: the database cannot be read (connection refused); onDatabaseError is CurrentReplicas, failed tick 2"
    )
    assert not decision.applied
