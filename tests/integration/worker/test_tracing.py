"""One trace from the producer's span to the handler's own, through real processes to a collector."""

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.collector import Collector, collector
from tests.support.processes import Processes
from tests.support.waiting import wait_until
from tests.support.workers import start_worker

if TYPE_CHECKING:
    from tests.support.processes import RunningProcess

    Logged = Callable[[RunningProcess, str], Sequence[Mapping[str, Any]]]

__all__ = ["collector"]

HANDLERS = """
from opentelemetry import trace
from taskfleet_worker import PreconditionFailed, Tasks

tasks = Tasks()
tracer = trace.get_tracer("shop")


@tasks.task("order")
async def order(payload: object) -> None:
    with tracer.start_as_current_span("charge"):
        pass


@tasks.task("refund")
def refund(payload: object) -> None:
    with tracer.start_as_current_span("look up"):
        raise PreconditionFailed("nothing was paid")


@tasks.batch("index", size=10)
async def index(payloads: list[object]) -> None: ...
"""

PRODUCER = """
import os, sys
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
import taskfleet
from taskfleet.models import NewTask

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=sys.argv[1] + "/v1/traces")))
trace.set_tracer_provider(provider)
with taskfleet.Producer() as producer, trace.get_tracer("shop").start_as_current_span("checkout"):
    producer.enqueue("order", {})
    producer.enqueue("refund", {}, headers={"tenant": "7"})
    producer.enqueue_many([NewTask(kind="index", payload=number) for number in range(2)])
"""


@pytest.mark.requirement("B3")
@pytest.mark.requirement("B17")
def test_one_trace_goes_from_the_producer_through_the_claim_to_the_handler(
    processes: Processes, tmp_path: Path, database_url: str, collector: Collector, logged: "Logged"
) -> None:
    environment = {"TASKFLEET_DATABASE_URL": database_url}
    assert processes.start_python(PRODUCER, collector.url, environment=environment).wait(within=60.0) == 0
    worker = start_worker(
        processes,
        tmp_path / "code",
        database_url,
        module=HANDLERS,
        environment={"TASKFLEET_OTLP_ENDPOINT": collector.url, "TASKFLEET_CONCURRENCY": "4", "TASKFLEET_POLL_SECONDS": "0.1"},
    )
    worker.wait_for_output('"worker.started"', within=60.0)
    wait_until(lambda: len(logged(worker, "task.completed")) == 3 and logged(worker, "task.failed"))
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    wait_until(lambda: len(collector.spans) >= 10)

    checkout, receive = collector.named("checkout"), collector.named("receive default")
    order, charge = collector.named("process order"), collector.named("charge")
    refund, index = collector.named("process refund"), collector.named("process index")
    sends = [span for span in collector.spans if span.name == "send default"]
    assert checkout is not None and receive is not None and order is not None and charge is not None  # noqa: PT018
    assert refund is not None and index is not None  # noqa: PT018
    assert [(span.kind, span.parent_id) for span in sends] == [("PRODUCER", checkout.span_id)] * 3
    assert (receive.kind, receive.links) == ("CLIENT", frozenset(span.span_id for span in sends))
    assert (order.kind, order.trace_id, order.parent_id) == ("CONSUMER", checkout.trace_id, sends[0].span_id)
    assert (order.links, order.error) == (frozenset({receive.span_id}), None)
    assert (charge.trace_id, charge.parent_id) == (checkout.trace_id, order.span_id)
    assert (refund.parent_id, refund.error) == (sends[1].span_id, "TASK_PRECONDITION_FAILED")
    assert index.links == frozenset({receive.span_id, sends[2].span_id})
    assert {line["trace_id"] for line in logged(worker, "task.completed")} == {checkout.trace_id}


def test_a_collector_that_is_asked_for_needs_the_extra(
    processes: Processes, tmp_path: Path, database_url: str, collector: Collector
) -> None:
    hidden = tmp_path / "without" / "opentelemetry"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('No module named opentelemetry')", encoding="utf-8")
    worker = start_worker(
        processes,
        tmp_path / "code",
        database_url,
        module="from taskfleet_worker import Tasks\ntasks = Tasks()\ntasks.task('a')(lambda: None)\n",
        environment={"TASKFLEET_OTLP_ENDPOINT": collector.url, "PYTHONPATH": str(hidden.parent)},
    )

    assert worker.wait() == 1
    assert "pip install 'taskfleet-worker[otlp]'" in worker.output
