from dataclasses import replace

from taskfleet_operator.scaling import ScalingPolicy
from taskfleet_operator.simulation.fleet import FleetResult, FleetSimulation, Tick
from tests.unit.operator.simulation.stage import load, task


def test_queues_share_a_cap_and_use_what_others_free() -> None:
    workloads = [load(*(task(0, 5) for _ in range(count))) for count in (60, 20)]
    policies = [ScalingPolicy(queue=name, max_wait_seconds=60, max_replicas=10) for name in ("a", "b")]

    result = FleetSimulation([replace(one, name=name) for one, name in zip(workloads, ("a", "b"), strict=True)], policies, cap=6).run()

    assert [one.done for one in result.queues] == [60, 20]
    assert result.most_held == 6
    assert result.jain_index > 0.9
    assert result.reuse_ticks <= 2


def ticks(*held: tuple[int, int], wanted: tuple[int, int] = (9, 9)) -> FleetResult:
    result = FleetResult(cap=10, queues=())
    result.ticks = [Tick(at=2.0 * number, wanted=wanted, fair=(5, 5), held=pods) for number, pods in enumerate(held)]
    return result


def test_jain_index_by_hand() -> None:
    """One queue has its fair share and the other nothing: (1 + 0)² / (2 · 1) = 0.5; then both have it: 1."""
    assert ticks((5, 0), (5, 5)).jain_index == 0.75
    assert ticks((5, 0), wanted=(5, 5)).jain_index == 1.0
    assert ticks((0, 0)).jain_index == 1.0


def test_ticks_until_a_freed_share_is_used() -> None:
    assert ticks((5, 5), (5, 2), (8, 2)).reuse_ticks == 1
    assert ticks((5, 5), (5, 2), (5, 2), (5, 2), (8, 2)).reuse_ticks == 3
    assert ticks((5, 2), (5, 2)).reuse_ticks == 2
    assert ticks((5, 2), (5, 2), wanted=(5, 2)).reuse_ticks == 0
