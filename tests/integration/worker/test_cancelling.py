"""Somebody cancels tasks that run: an async handler is stopped, one in a thread is told, and the tasks end as cancelled at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from taskfleet import Producer
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.integration.worker.conftest import Fleet
    from tests.support.processes import RunningProcess

    Logged = Callable[[RunningProcess, str], Sequence[Mapping[str, Any]]]

QUICK_HEARTBEAT = {"LEASE_SECONDS": "3", "POLL_SECONDS": "0.1"}


@pytest.fixture
def producer(fleet: "Fleet") -> Iterator[Producer]:
    with Producer(fleet.url) as producer:
        yield producer


@pytest.mark.requirement("E10")
@pytest.mark.parametrize("kind", ["hold", "block"], ids=["async", "in a thread"])
def test_a_running_task_that_is_cancelled_stops_and_is_no_failure(fleet: "Fleet", logged: "Logged", producer: Producer, kind: str) -> None:
    worker = fleet.start(CONCURRENCY="2", **QUICK_HEARTBEAT)
    task_id = fleet.enqueue(kind)
    fleet.wait_for(f"{task_id}-1-started")
    producer.cancel(task_id)
    task = fleet.wait_for_state(task_id, "cancelled", within=10.0)
    wait_until(lambda: logged(worker, "task.cancelled"))
    # The worker goes on, and the handler in the thread, which looks at nothing, keeps its own slot only.
    fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded")
    fleet.let_go(task_id)

    assert (task.code, task.dead_reason) == ("TASK_CANCELLED", "cancelled")
    assert bool(logged(worker, "task.lingers")) is (kind == "block")
    assert logged(worker, "task.lease_lost") == []


def test_a_handler_that_looks_leaves_its_thread(fleet: "Fleet", producer: Producer) -> None:
    fleet.start(CONCURRENCY="1", **QUICK_HEARTBEAT)
    task_id = fleet.enqueue("attentive")
    fleet.wait_for(f"{task_id}-1-started")
    producer.cancel(task_id)
    fleet.wait_for_state(task_id, "cancelled", within=10.0)

    # Its only slot is free again.
    fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded")
