"""The worker's numbers in Prometheus' words. Imported only when somebody scrapes or pushes: prometheus-client takes its time to load."""

from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from taskfleet_worker.telemetry.metrics import Counter, Histogram, WorkerMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class WorkerCollector(Collector):
    """Reads the numbers at the moment of asking."""

    def __init__(self, metrics: WorkerMetrics, *, slots: int, taken: Callable[[], int]) -> None:
        self._metrics = metrics
        self._slots = slots
        self._taken = taken

    def describe(self) -> Iterable[Metric]:
        """Nothing ahead of time: names are checked when they are collected."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every metric of the worker."""
        metrics = self._metrics
        yield _gauge("taskfleet_slots", "Tasks this worker can run at once.", metrics.queue, self._slots)
        yield _gauge("taskfleet_concurrent_tasks", "Tasks this worker runs now.", metrics.queue, self._taken())
        yield self._durations()
        yield self._waits()
        yield self._counter("taskfleet_claims", "Claims by what they brought.", metrics.claims)
        yield self._counter("taskfleet_lease_lost", "Results dropped because the lease was lost.", metrics.leases_lost)
        yield self._counter("taskfleet_short_circuited", "Tasks failed without running: entity known missing.", metrics.short_circuited)
        yield self._counter("taskfleet_overload_pauses", "Pauses of a slot after an overload answer.", metrics.overload_pauses)
        yield self._counter("taskfleet_loop_blocked", "Times that a handler blocked the event loop.", metrics.loop_blocked)
        yield self._counter("taskfleet_loop_failures", "Failures of background loops, each restarted.", metrics.loop_failures)
        build = GaugeMetricFamily("taskfleet_build_info", "The release that runs here.", labels=["component", "version"])
        build.add_metric(["worker", version("taskfleet-worker")], 1)
        yield build

    def _durations(self) -> Metric:
        labels = ["queue", "kind", "outcome"]
        family = HistogramMetricFamily("taskfleet_task_duration_seconds", "Time that handlers ran.", labels=labels)
        for (kind, outcome), histogram in list(self._metrics.durations.items()):
            _add(family, [self._metrics.queue, kind, outcome], histogram)
        return family

    def _waits(self) -> Metric:
        family = HistogramMetricFamily("taskfleet_task_wait_seconds", "Time from due to claimed.", labels=["queue", "kind"])
        for kind, histogram in list(self._metrics.waits.items()):
            _add(family, [self._metrics.queue, kind], histogram)
        return family

    def _counter(self, name: str, documentation: str, counter: Counter) -> Metric:
        family = CounterMetricFamily(name, documentation, labels=["queue", counter.label])
        for value, count in list(counter.counts.items()):
            family.add_metric([self._metrics.queue, value], count)
        return family


def registry_of(collector: Collector) -> CollectorRegistry:
    """A registry of the worker's own numbers and of its process (memory, CPU, open files)."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    return registry


def exposed(registry: CollectorRegistry) -> bytes:
    """The page that /metrics shows."""
    return generate_latest(registry)


def _gauge(name: str, documentation: str, queue: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=["queue"])
    family.add_metric([queue], value)
    return family


def _add(family: HistogramMetricFamily, labels: list[str], histogram: Histogram) -> None:
    bounds = [*(str(float(bound)) for bound in histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(histogram.counts)), strict=True))
    family.add_metric(labels, buckets=buckets, sum_value=histogram.total)
