"""Any order of operations leaves the queue as the model says: no task lost, none twice, ledgers true, limits kept.

In the suite a bounded number of examples, the same ones with CI=true. TASKFLEET_MACHINE_SECONDS=300 goes on with new ones for so long.
"""

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import Queue
from tests.stateful.world import World

LONG_SECONDS = float(os.environ.get("TASKFLEET_MACHINE_SECONDS", "0"))
EXAMPLES, STEPS = 20, 25


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    world = World.of(database_url)
    yield world
    world.close()


@pytest.mark.timeout(120 + 2 * LONG_SECONDS)
@pytest.mark.requirement("A4", "B2", "B5")
def test_any_order_of_operations_leaves_the_queue_as_the_model_says(world: World) -> None:
    class QueueHere(Queue):
        pass

    QueueHere.world = world
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(QueueHere, settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS, suppress_health_check=checks))

    until = time.monotonic() + LONG_SECONDS
    while time.monotonic() < until:
        anew = settings(max_examples=20, stateful_step_count=50, suppress_health_check=checks, derandomize=False, database=None)
        run_state_machine_as_test(QueueHere, settings=anew)
