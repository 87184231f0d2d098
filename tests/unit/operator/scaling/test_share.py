import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from taskfleet_operator.scaling import (
    Decided,
    KindLimits,
    Memory,
    Mode,
    QueueCase,
    QueueObservation,
    Reason,
    ScalingPolicy,
    StopPolicy,
    decide,
    decide_fleet,
)
from taskfleet_operator.scaling.stand import BATCH
from tests.support.scaling import applied, at, crew, policy, ready, seen

LONG = (KindLimits(kind="task", expected_seconds=100_000),)
"""Tasks so long that each wants a slot of its own: demands can be written down."""


class Fleet:
    """Several queues under one cap, tick by tick; decisions are applied, and new replicas are up at the next tick."""

    def __init__(self, cap: int, **queues: ScalingPolicy) -> None:
        self.cap = cap
        self.now = at()
        self.policies = {name: replace(rules, queue=name, kinds=LONG) for name, rules in queues.items()}
        self.memories = {name: Memory() for name in queues}
        self.sights: dict[str, QueueObservation] = {name: seen() for name in queues}

    def tick(self, **demands: int) -> dict[str, Decided]:
        """Each queue has so many tasks; those with a worker run."""
        self.now += 2
        for name, demand in demands.items():
            self.sights[name] = self.grown(self.sights[name], demand)
        cases = [QueueCase(observation=self.sights[name], policy=self.policies[name], memory=self.memories[name]) for name in demands]
        decided = dict(zip(demands, decide_fleet(cases, global_max_replicas=self.cap, now=self.now), strict=True))
        for name, one in decided.items():
            self.memories[name] = one.memory
            self.sights[name] = applied(one.decision, self.sights[name])
        return decided

    @staticmethod
    def grown(sight: QueueObservation, demand: int) -> QueueObservation:
        old = [one for one in sight.workers if one.draining]
        staying = sight.replicas - len(old)
        busy = [1] * min(demand, staying) + [0] * max(0, staying - demand)
        waiting = demand - sum(busy)
        workers = (*(replace(one, leases=0, drained=True) for one in old), *crew(busy))
        fresh = tuple(replace(one, session_id=type(one.session_id)(int=index + 1)) for index, one in enumerate(workers))
        # Overdue, so that not even a small increase is put off.
        return seen(*fresh, ready=(ready(waiting, age=100),) if waiting else ())

    def held(self) -> dict[str, int]:
        return {name: sight.held for name, sight in self.sights.items()}


def test_one_cap_is_shared_by_weight() -> None:
    fleet = Fleet(100, a=policy(max_replicas=500), b=policy(max_replicas=500), c=policy(max_replicas=500, weight=2.0))
    for _ in range(3):
        decided = fleet.tick(a=200, b=30, c=60)

    assert fleet.held() == {"a": 25, "b": 25, "c": 50}
    assert decided["a"].decision.limited_by is Reason.GLOBAL_CAP
    assert "capped by GlobalCap at 25 of 200 wanted" in decided["a"].decision.message


def test_without_a_cap_everybody_has_what_it_wants() -> None:
    case = QueueCase(observation=seen(ready=(ready(5),)), policy=policy(kinds=LONG), memory=Memory())

    assert decide_fleet([case], global_max_replicas=None, now=at())[0].decision.replicas == 5


def test_a_higher_class_is_served_first() -> None:
    fleet = Fleet(10, low=policy(), high=policy(priority=1))
    for _ in range(3):
        fleet.tick(low=20, high=8)

    assert fleet.held() == {"low": 2, "high": 8}


def test_pods_that_are_still_held_are_waited_for() -> None:
    """The whole cap is held by a queue that must give half of it away: its workers are marked, nobody starts until they are gone."""
    fleet = Fleet(10, a=policy(), b=policy())
    fleet.tick(a=10, b=0)
    fleet.tick(a=10, b=0)
    assert fleet.held() == {"a": 10, "b": 0}

    seen_held = []
    for _ in range(6):
        fleet.tick(a=10, b=10)
        seen_held.append(sum(fleet.held().values()))
    assert fleet.held() == {"a": 5, "b": 5}
    assert max(seen_held) <= 10


def test_a_share_moves_when_two_ticks_agree() -> None:
    fleet = Fleet(10, a=policy(), b=policy())
    for _ in range(3):
        fleet.tick(a=10, b=0)

    assert fleet.tick(a=10, b=10)["a"].decision.drain == ()
    assert len(fleet.tick(a=10, b=10)["a"].decision.drain) == 5


def test_a_demand_of_one_tick_moves_nobody() -> None:
    fleet = Fleet(10, a=policy(), b=policy())
    for _ in range(3):
        fleet.tick(a=10, b=0)
    fleet.tick(a=10, b=10)

    assert fleet.tick(a=10, b=0)["a"].decision.drain == ()


def test_what_one_queue_frees_another_has_within_two_ticks_of_its_going() -> None:
    fleet = Fleet(10, a=policy(), b=policy())
    for _ in range(8):
        fleet.tick(a=10, b=10)
    assert fleet.held() == {"a": 5, "b": 5}
    fleet.sights["b"] = seen()
    fleet.tick(a=10, b=0)
    fleet.tick(a=10, b=0)

    assert fleet.held()["a"] == 10


def test_pods_of_queues_that_cannot_be_seen_count() -> None:
    case = QueueCase(observation=seen(ready=(ready(50),)), policy=policy(kinds=LONG), memory=Memory())
    decision = decide_fleet([case], global_max_replicas=10, held_elsewhere=7, now=at())[0].decision

    assert decision.replicas == 3


def test_room_that_is_lacking_now_is_said() -> None:
    """Terminating pods are held: the share is there, the room is not yet."""
    sight = seen(ready=(ready(5),), held=8)
    case = QueueCase(observation=sight, policy=policy(kinds=LONG), memory=Memory())
    decision = decide_fleet([case], global_max_replicas=10, now=at())[0].decision

    assert (decision.desired, decision.replicas, decision.reason) == (5, 2, Reason.GLOBAL_CAP)
    assert decision.steps[-1].did == "the global cap has room for 2 of 5 new replicas now"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"mode": Mode.RECOMMEND}, 10, id="a queue that only recommends asks for nothing more"),
        pytest.param({"stop": StopPolicy.HOLD}, 10, id="a held queue asks for nothing more"),
        pytest.param({"stop": StopPolicy.HOLD_AND_DRAIN}, 10, id="a drained queue asks for nothing"),
    ],
)
def test_queues_that_are_not_scaled_leave_the_cap_to_others(changes: dict[str, object], expected: int) -> None:
    fleet = Fleet(10, still=policy(**changes), busy=policy())
    for _ in range(3):
        fleet.tick(still=50, busy=50)

    assert fleet.held()["busy"] == expected


QUEUES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 40), st.sampled_from([0.5, 1.0, 3.0]), st.integers(0, 2), st.integers(0, 3)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=50)
@given(QUEUES, st.integers(1, 40), st.lists(st.integers(0, 2), min_size=4, max_size=8))
def test_held_pods_never_exceed_the_cap_and_use_it_while_demand_is_left(
    queues: list[tuple[int, int, float, int, int]], cap: int, waves: list[int]
) -> None:
    rules = {
        f"q{index}": policy(max_replicas=most, weight=weight, priority=priority, min_replicas=min(least, most))
        for index, (_, most, weight, priority, least) in enumerate(queues)
    }
    fleet = Fleet(cap, **rules)
    for wave in (*waves, *[1] * 8):
        demands = {f"q{index}": demand * wave for index, (demand, *_) in enumerate(queues)}
        fleet.tick(**demands)
        assert sum(fleet.held().values()) <= cap

    asked = sum(min(max(demands[name], rule.min_replicas), rule.max_replicas) for name, rule in rules.items())
    assert sum(fleet.held().values()) >= min(cap, asked)


def test_queues_out_of_sight_that_exceed_the_cap_leave_nothing_to_share() -> None:
    case = QueueCase(observation=seen(ready=(ready(50),)), policy=policy(kinds=LONG), memory=Memory())
    (first,) = decide_fleet([case], global_max_replicas=5, held_elsewhere=9, now=at())
    (decided,) = decide_fleet([replace(case, memory=first.memory)], global_max_replicas=5, held_elsewhere=9, now=at(seconds=2))

    assert first.decision.replicas == 0
    assert (decided.decision.desired, decided.decision.replicas, decided.decision.reason) == (0, 0, Reason.GLOBAL_CAP)


def test_a_queue_is_decided_the_same_in_any_batch() -> None:
    sight = seen(*crew([1, 1, 0]), ready=(ready(70, age=3),))
    cases = [QueueCase(observation=sight, policy=policy(), memory=Memory())] * (2 * BATCH + 1)

    assert set(map(str, decide_fleet(cases, global_max_replicas=None, now=at()))) == {str(decide(sight, policy(), Memory(), now=at()))}
