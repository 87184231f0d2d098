"""The producer's side of a trace: a span around each enqueue, and its `traceparent` in the headers of its tasks.

OpenTelemetry takes part where the application has loaded it; nothing is imported for it here.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from taskfleet.models import NewTask

FIELDS = ("traceparent", "tracestate")
"""What travels; baggage stays where it is."""


@contextmanager
def sent(tasks: Iterable[NewTask], *, queue: str) -> Iterator[Iterable[NewTask]]:
    """The tasks with the trace that they are sent in, while a span of kind PRODUCER is open; as they are without OpenTelemetry.

    A task that carries a traceparent of its own keeps it.
    """
    if "opentelemetry.trace" not in sys.modules:
        yield tasks
        return
    from opentelemetry import trace

    attributes = {"messaging.system": "taskfleet", "messaging.operation.type": "send", "messaging.destination.name": queue}
    tracer = trace.get_tracer("taskfleet")
    with tracer.start_as_current_span(f"send {queue}", kind=trace.SpanKind.PRODUCER, attributes=attributes):
        headers = _headers()
        yield (_with(task, headers) for task in tasks)


def _headers() -> dict[str, str]:
    from opentelemetry import propagate

    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return {name: carrier[name] for name in FIELDS if name in carrier}


def _with(task: NewTask, headers: dict[str, str]) -> NewTask:
    if not headers or "traceparent" in (task.headers or {}):
        return task
    return replace(task, headers={**(task.headers or {}), **headers})
