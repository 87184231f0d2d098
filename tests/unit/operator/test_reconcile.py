"""One pass over the fleet, with both sides of the world played."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from taskfleet.errors import DatabaseUnreachableError
from taskfleet_operator.api.conditions import ConditionReason
from taskfleet_operator.api.task_queue import QueueKey, TaskQueue
from taskfleet_operator.databases.lane import StillBusyError
from taskfleet_operator.databases.link import QueueSight, QueueWrite
from taskfleet_operator.errors import ClusterUnreachableError, WorkerTemplateError
from taskfleet_operator.loop.facts import QueueFacts
from taskfleet_operator.loop.fleet import FleetState, Scaled, ScaleOrder
from taskfleet_operator.loop.known import KnownQueues
from taskfleet_operator.process.supervise import Vitals
from taskfleet_operator.reconcile import Reconciler
from taskfleet_operator.settings import OperatorSettings
from taskfleet_operator.trouble import Trouble
from tests.support.waiting import eventually
from tests.unit.operator.api.manifests import manifest
from tests.unit.operator.facts import measurement, session, worker

HELD = QueueSight(trouble=Trouble(reason=ConditionReason.QUEUE_HELD, message="held"))
AWAY = QueueSight(trouble=Trouble(reason=ConditionReason.DATABASE_UNREACHABLE, message="away"))
NOTHING = QueueSight(measurement=measurement(ready=0, running=0))
WORK = QueueSight(measurement=measurement(ready=1_000_000, running=0))


class World:
    """Target, databases and reporter of a test; everything is by the name of the TaskQueue."""

    def __init__(self) -> None:
        self.sights: dict[str, QueueSight] = {}
        self.fleets: dict[str, FleetState | Trouble] = {}
        self.errors: dict[str, Exception] = {}
        """What an action raises: `write a`, `scale a`, `prepare a`."""
        self.done: list[str] = []
        self.writes: list[QueueWrite] = []
        self.orders: dict[str, ScaleOrder] = {}
        self.facts: dict[str, QueueFacts] = {}
        self.known = KnownQueues()
        self.settings = OperatorSettings(tick_seconds=0.1)
        self.ticks = 0

    def add(self, name: str, *, sight: QueueSight = NOTHING, fleet: FleetState | Trouble | None = None, **spec: Any) -> None:
        made = manifest(**spec)
        made["metadata"]["name"] = name
        self.known.remember(made)
        self.sights[name], self.fleets[name] = sight, fleet or FleetState()

    def reconciler(self) -> Reconciler:
        return Reconciler(
            self.known, databases=Databases(self), target=Target(self), reporter=self, settings=lambda: self.settings, clock=lambda: 1e9
        )

    async def tick(self) -> None:
        await self.reconciler().tick()

    async def report(self, facts: Sequence[QueueFacts], *, settings: OperatorSettings) -> None:
        self.facts = {each.known.key.name: each for each in facts}
        self.ticks += 1

    def act(self, action: str) -> None:
        self.done.append(action)
        if action in self.errors:
            raise self.errors[action]


class Databases:
    def __init__(self, world: World) -> None:
        self._world = world

    async def look(self, task_queues: Sequence[TaskQueue], *, within: float) -> Mapping[QueueKey, QueueSight]:
        return {each.key: self._world.sights[each.key.name] for each in task_queues}

    async def write(self, key: QueueKey, wanted: QueueWrite, *, within: float) -> None:
        self._world.writes.append(wanted)
        self._world.act(f"write {key.name}")


class Target:
    def __init__(self, world: World) -> None:
        self._world = world

    async def look(self, task_queues: Sequence[TaskQueue]) -> Mapping[QueueKey, FleetState | Trouble]:
        return {each.key: self._world.fleets[each.key.name] for each in task_queues}

    async def prepare(self, task_queue: TaskQueue) -> None:
        self._world.act(f"prepare {task_queue.key.name}")

    async def scale(self, task_queue: TaskQueue, order: ScaleOrder) -> Scaled:
        self._world.act(f"scale {task_queue.key.name}")
        self._world.orders[task_queue.key.name] = order
        return Scaled(replicas=order.replicas)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.requirement("K2")
async def test_queue_is_prepared_written_and_scaled_in_this_order_and_reported(world: World) -> None:
    world.add("a", sight=WORK, scaling={"maxReplicas": 3})

    await world.tick()

    assert world.done == ["prepare a", "write a", "scale a"]
    assert world.orders["a"].replicas == 3
    assert (world.facts["a"].scaled, world.facts["a"].scaled_from) == (Scaled(replicas=3), 0)
    assert world.writes[0].record is not None
    assert world.writes[0].state is not None


async def test_sessions_become_pods_on_the_way_to_the_target(world: World) -> None:
    seen = measurement(session(1, draining=True, drained=True), session(2), ready=0, running=0)
    fleet = FleetState(replicas=3, held=3, workers=(worker(1), worker(2), worker(3)))
    world.add("a", sight=QueueSight(measurement=seen), fleet=fleet, scaling={"minReplicas": 1})

    await world.tick()

    assert set(world.orders["a"].leave) <= {"pod-1"}
    assert world.orders["a"].serving == frozenset({"pod-1", "pod-2"})


async def test_recommended_decision_is_recorded_and_not_applied(world: World) -> None:
    world.add("a", sight=WORK, scaling={"mode": "Recommend"})

    await world.tick()

    assert world.done == ["prepare a", "write a"]
    assert world.writes[0].enforce is False


async def test_unseen_queue_keeps_its_workers_and_nothing_is_written(world: World) -> None:
    world.add("a", sight=AWAY, fleet=FleetState(replicas=2))

    await world.tick()

    assert world.writes == []
    assert world.facts["a"].decision is not None
    assert world.facts["a"].decision.replicas == 2


async def test_workers_of_a_queue_that_another_operator_took_finish_and_go(world: World) -> None:
    world.add("a", sight=HELD, fleet=FleetState(replicas=2, held=2, workers=(worker(1), worker(2))))
    world.add("b", sight=HELD)

    await world.tick()

    assert world.done == ["scale a"]
    assert world.orders["a"] == ScaleOrder(replicas=0, leave=("pod-1", "pod-2"))


async def test_fleet_that_is_not_known_is_left_alone(world: World) -> None:
    world.add("a", sight=WORK, fleet=Trouble(reason=ConditionReason.SPEC_INVALID, message="no worker"))

    await world.tick()

    assert world.done == []
    assert world.facts["a"].target_trouble is not None


@pytest.mark.parametrize(
    ("action", "error", "expected"),
    [
        ("prepare", WorkerTemplateError("no worker"), ("target", ConditionReason.SPEC_INVALID)),
        ("scale", ClusterUnreachableError("away"), ("target", ConditionReason.OPERATION_FAILED)),
        ("write", DatabaseUnreachableError("away"), ("database", ConditionReason.DATABASE_UNREACHABLE)),
    ],
)
@pytest.mark.requirement("A2")
async def test_failure_is_reported_and_harms_no_other(
    world: World, action: str, error: Exception, expected: tuple[str, ConditionReason]
) -> None:
    world.add("a", sight=WORK)
    world.add("b", sight=WORK)
    world.errors[f"{action} a"] = error

    await world.tick()

    facts = world.facts["a"]
    trouble = facts.target_trouble if expected[0] == "target" else facts.database_trouble
    assert trouble is not None
    assert trouble.reason is expected[1]
    assert world.facts["b"].scaled is not None


async def test_database_that_is_slow_to_write_is_left_to_the_next_tick(world: World) -> None:
    world.add("a", sight=WORK)
    world.errors["write a"] = StillBusyError()

    await world.tick()

    assert world.done == ["prepare a", "write a"]
    assert world.facts["a"].database_trouble is None


async def test_faulty_task_queue_is_reported_and_not_followed(world: World) -> None:
    faulty = manifest(maxConcurrent=0)
    world.known.remember(faulty)

    await world.tick()

    assert len(world.facts["episodes"].known.faults) == 1
    assert world.done == []


async def test_memory_goes_from_tick_to_tick(world: World) -> None:
    world.add("a", sight=WORK)
    reconciler = world.reconciler()
    await reconciler.tick()
    world.sights["a"] = replace(WORK, saved=None)
    await reconciler.tick()

    assert len(world.writes) == 2
    assert world.writes[1].record is None


async def test_loop_ticks_beats_and_wakes_on_a_change(world: World) -> None:
    world.settings = OperatorSettings(tick_seconds=60)
    vitals = Vitals()
    pulse = vitals.pulse("reconcile", limit_seconds=60)
    leads = [True]
    task = asyncio.create_task(world.reconciler().run(pulse, vitals, leading=lambda: leads[0]))
    await eventually(lambda: world.ticks == 1)
    world.add("a")
    await eventually(lambda: world.ticks == 2)
    leads[0] = False
    beaten = pulse.beaten_at
    world.add("b")
    await eventually(lambda: pulse.beaten_at > beaten)
    task.cancel()
    await asyncio.wait({task})

    assert vitals.started
    assert world.ticks == 2
