import json

import pytest

from taskfleet_operator.scaling import Memory
from taskfleet_operator.scaling.memory import Breaker, Ceiling, Guard, KindMemory, KindTotals, ScaleEvent, SteadyLevel, Trial
from tests.support.scaling import Story, at, crew, policy, ready, seen, total


def test_memory_survives_json() -> None:
    story = Story(policy(max_replicas=50, slots_per_replica=2))
    sight = seen(*crew([1, 2, 0], slots=2), ready=(ready(500, age=3),), totals=(total("succeeded", 90, busy=300), total("enqueued", 99)))
    story.watch(sight, start=at(), end=at(minutes=1))

    assert Memory.from_dict(json.loads(json.dumps(story.memory.to_dict()))) == story.memory


def test_every_part_of_the_memory_survives_json() -> None:
    level = SteadyLevel(running=4.0, goodput=2.0, finished=100, at=5.0)
    memory = Memory(
        decided_at=1.0,
        kinds={"a": KindMemory(seen=KindTotals(arrived=3), breaker=Breaker(slots=1, since=2.0, pause_seconds=30.0))},
        startups=(1.5, 2.5),
        ceiling=Ceiling(slots=7.5, since=1.0),
        guard=Guard(level=level, trial=Trial(start=level, gate=3.0, back=None, since=9.0)),
    )

    assert Memory.from_dict(json.loads(json.dumps(memory.to_dict()))) == memory


@pytest.mark.parametrize(
    "plain",
    [
        pytest.param(None, id="nothing was saved"),
        pytest.param({"decided_at": "yesterday"}, id="a number is a word"),
        pytest.param({"decided_at": True}, id="a number is a truth"),
        pytest.param({"startups": 5}, id="a list is a number"),
        pytest.param({"startups": [None]}, id="an item is missing"),
        pytest.param({"kinds": {"a": 5}}, id="an object is a number"),
        pytest.param({"kinds": 5}, id="a map is a number"),
        pytest.param({"unused": {"since": 1.0, "samples": [[1.0]]}}, id="a pair has one half"),
        pytest.param({"kinds": {"a": {"window_good": 1.5}}}, id="a count is a fraction"),
        pytest.param({"guard": {"level": {"running": 1.0}}}, id="a required value is missing"),
    ],
)
def test_malformed_memory_is_an_empty_one(plain: dict[str, object] | None) -> None:
    assert Memory.from_dict(plain) == Memory()


def test_unknown_and_missing_values_of_another_version_are_forgiven() -> None:
    assert Memory.from_dict({"decided_at": 3, "invented_later": {"x": 1}}) == Memory(decided_at=3.0)


def test_events_are_read_back_as_values() -> None:
    memory = Memory.from_dict({"behavior": {"events": [{"at": 1, "change": 2}]}})

    assert memory.behavior.events == (ScaleEvent(at=1.0, change=2),)
