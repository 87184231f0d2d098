"""Spans of a worker: one for each claim that brought tasks (CLIENT), one for each call of a handler (CONSUMER).

A call belongs to the trace of its task, as the producer's `traceparent` tells, and links to the claim; a call of a batch links to all its
tasks. Imported only where OpenTelemetry takes part: where TASKFLEET_OTLP_ENDPOINT is set, or the module of the handlers has loaded it.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode

from taskfleet.models import ClaimedTask, Failure
from taskfleet_worker.rules.conclusions import Conclusion
from taskfleet_worker.settings import WorkerSettings

MOST_LINKS = 100
"""Of one span: collectors cut more off."""


FLUSH_MILLISECONDS = 2_000
"""How long the last spans may take to leave."""


class Tracing:
    """Makes the spans of one worker, with the tracer provider of this process."""

    def __init__(self, *, queue: str) -> None:
        self._tracer = trace.get_tracer("taskfleet-worker")
        self._queue = queue
        self._claim: SpanContext | None = None
        """The claim that brought tasks last."""

    def claimed(self, tasks: Sequence[ClaimedTask], *, seconds: float) -> None:
        """A claim has brought tasks; it took so long."""
        end = time.time_ns()
        links = [Link(context) for context in map(_creation, tasks[:MOST_LINKS]) if context.is_valid]
        span = self._tracer.start_span(
            f"receive {self._queue}",
            kind=SpanKind.CLIENT,
            attributes={**self._attributes("receive"), "messaging.batch.message_count": len(tasks)},
            links=links,
            start_time=end - int(seconds * 1e9),
        )
        span.end(end)
        self._claim = span.get_span_context()

    @contextmanager
    def processing(self, tasks: Sequence[ClaimedTask], *, is_batch: bool) -> Iterator[Span]:
        """A span that is current while a handler is called."""
        first = tasks[0]
        links = [] if self._claim is None else [Link(self._claim)]
        attributes = {**self._attributes("process"), "taskfleet.kind": first.kind}
        if is_batch:
            links += [Link(context) for context in map(_creation, tasks[:MOST_LINKS]) if context.is_valid]
            attributes["messaging.batch.message_count"] = len(tasks)
        else:
            attributes |= {"messaging.message.id": str(first.task_id), "taskfleet.attempt": first.attempt}
        with self._tracer.start_as_current_span(
            f"process {first.kind}",
            context=None if is_batch else extract(first.headers or {}),
            kind=SpanKind.CONSUMER,
            attributes=attributes,
            links=links,
        ) as span:
            yield span

    def _attributes(self, operation: str) -> dict[str, str | int]:
        return {"messaging.system": "taskfleet", "messaging.operation.type": operation, "messaging.destination.name": self._queue}


def conclude(span: Span, conclusions: Sequence[Conclusion]) -> None:
    """Say how a call ended: the first failure of its tasks, if there is one."""
    for conclusion in conclusions:
        if isinstance(conclusion.record, Failure):
            span.set_attribute("error.type", str(conclusion.record.code))
            span.set_status(Status(StatusCode.ERROR, conclusion.record.message))
            return


def export_to(endpoint: str, settings: WorkerSettings) -> None:
    """Send the spans of this process to an OpenTelemetry collector, by OTLP over HTTP; raises ImportError without the extra `otlp`."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": "taskfleet-worker", "service.instance.id": settings.worker_id})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)


def flush() -> None:
    """Send what was not sent yet; blocks for some seconds at most."""
    force_flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if force_flush is not None:
        force_flush(FLUSH_MILLISECONDS)


def _creation(task: ClaimedTask) -> SpanContext:
    """The span that the producer sent the task in."""
    return trace.get_current_span(extract(task.headers or {})).get_span_context()
