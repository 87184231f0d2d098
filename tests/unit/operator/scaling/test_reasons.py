import pytest

from taskfleet_operator.scaling import Reason

NAMES = (
    "DeadlineDemand ArrivalRate PanicBacklog MinReplicas IdleUnused Taper Stabilized MaxReplicas KindQuota KindRate FailureCeiling "
    "IneffectiveScaleUp BreakerOpen GlobalCap Paused Held Recommend DatabaseUnreachable ReplicasContested Steady"
)


def test_the_names_are_those_that_people_know() -> None:
    assert [reason.value for reason in Reason] == NAMES.split()


@pytest.mark.parametrize("reason", list(Reason), ids=str)
def test_every_reason_has_a_sentence(reason: Reason) -> None:
    assert reason.sentence[0].isupper()
    assert reason.sentence.endswith(".")


def test_limits_are_the_reasons_that_hold_a_fleet_down() -> None:
    assert {reason for reason in Reason if reason.is_limit} == {
        Reason.STABILIZED,
        Reason.MAX_REPLICAS,
        Reason.KIND_QUOTA,
        Reason.KIND_RATE,
        Reason.FAILURE_CEILING,
        Reason.INEFFECTIVE_SCALE_UP,
        Reason.BREAKER_OPEN,
        Reason.GLOBAL_CAP,
    }
