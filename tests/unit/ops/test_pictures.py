"""Pictures stay small and keep their peaks."""

from taskfleet_operator.simulation.result import Moment
from taskfleet_ops.pictures import thinned


def moment(at: int, *, held: int = 0, oldest: float = 0.0) -> Moment:
    return Moment(at=at, waiting=0, running=0, oldest_wait=oldest, held=held, replicas=held, ceiling=None, reason="Steady")


def test_thinning_keeps_order_and_peaks() -> None:
    moments = [moment(at, held=99 if at == 4321 else 1, oldest=7.0 if at == 1234 else 0.0) for at in range(10_000)]
    kept = thinned(moments, points=500)

    assert len(kept) <= 500
    assert [one.at for one in kept] == sorted(one.at for one in kept)
    assert {4321, 1234} <= {one.at for one in kept}


def test_few_moments_are_kept_as_they_are() -> None:
    moments = [moment(at) for at in range(10)]

    assert thinned(moments) is moments
