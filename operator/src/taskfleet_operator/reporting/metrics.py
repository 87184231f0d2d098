"""The operator's metrics: exact numbers of the last tick, and counters of what it did.

Names and labels are documented in docs/operator.md. Task counters come from the database's ledgers, so they never fall when an
operator restarts; a queue that cannot be seen leaves its database series out rather than showing old ones.
"""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from taskfleet.words import ErrorCode
from taskfleet_operator.loop.facts import QueueFacts
from taskfleet_operator.process.health import Answer
from taskfleet_operator.status import serving_workers

MOST_KINDS: Final = 200
"""Kinds that get a series of their own, by name; the rest is `other`."""
OTHER: Final = "other"
EXPOSITION: Final = "text/plain; version=0.0.4; charset=utf-8"
_QUEUE: Final = ("namespace", "taskqueue", "queue")
_CODES: Final = frozenset(code.value for code in ErrorCode)


class FleetMetrics:
    """All metrics of one operator, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._facts: Sequence[QueueFacts] = ()
        self._leads = Gauge("taskfleet_leader", "1 on the operator that leads, 0 on a standby", registry=self._registry)
        self._decisions = Counter(
            "taskfleet_scaling_decisions", "Changes of the number of workers", (*_QUEUE, "direction", "reason"), registry=self._registry
        )
        self._loops = Counter("taskfleet_loop_failures", "Failures of the operator's own loops", ("loop",), registry=self._registry)
        self._reconcile = Histogram(
            "taskfleet_reconcile_duration_seconds",
            "Time from the beginning of a tick to its report",
            registry=self._registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        build = Gauge("taskfleet_build_info", "The release that runs", ("component", "version"), registry=self._registry)
        build.labels(component="operator", version=version("taskfleet-operator")).set(1)
        self._registry.register(self)

    def show(self, facts: Sequence[QueueFacts]) -> None:
        """Take in a tick."""
        self._facts = tuple(facts)
        for each in facts:
            if each.scaled_from is not None and each.scaled is not None and each.decision is not None:
                direction = "up" if each.scaled.replicas > each.scaled_from else "down"
                self._decisions.labels(*_names(each), direction, each.decision.reason.value).inc()

    def leads(self, leads: bool) -> None:  # noqa: FBT001 - the whole meaning is in the name
        """Say whether this operator leads."""
        self._leads.set(1 if leads else 0)

    def loop_failed(self, name: str) -> None:
        """Count the failure of a loop."""
        self._loops.labels(loop=name).inc()

    def tick_took(self, seconds: float) -> None:
        """Take in how long a tick took."""
        self._reconcile.observe(seconds)

    def answer(self) -> Answer:
        """Give the page for Prometheus."""
        return Answer(body=generate_latest(self._registry), content_type=EXPOSITION)

    def collect(self) -> Iterable[Metric]:
        """Give the numbers of the last tick: what prometheus-client asks a collector."""
        yield from _fleet_families(self._facts)
        yield from _database_families(self._facts)


def _names(facts: QueueFacts) -> tuple[str, str, str]:
    queue = facts.task_queue.queue if facts.task_queue else facts.known.key.name
    return facts.known.key.namespace, facts.known.key.name, queue


def _fleet_families(facts: Sequence[QueueFacts]) -> Iterable[Metric]:
    """Give what is known of fleets, decisions and databases."""
    families = {
        name: GaugeMetricFamily(f"taskfleet_{name}", text, labels=_QUEUE)
        for name, text in (
            ("replicas", "Workers that exist"),
            ("ready_replicas", "Workers that are up"),
            ("desired_replicas", "Workers the operator asks for, after all ceilings"),
            ("wanted_replicas", "Workers the work asks for, before any ceiling"),
            ("max_replicas", "Workers that are never exceeded"),
            ("wait_goal_seconds", "How long a task may wait"),
            ("failure_ceiling", "Tasks that may run at once because of failures; no series: no ceiling"),
            ("database_up", "1 while the last look at the queue's database brought an answer"),
        )
    }
    for each in facts:
        names = _names(each)
        spec, decision = each.task_queue.spec if each.task_queue else None, each.decision
        families["database_up"].add_metric(names, 1.0 if each.measurement is not None else 0.0)
        if each.fleet is not None:
            families["replicas"].add_metric(names, each.fleet.held)
            families["ready_replicas"].add_metric(names, serving_workers(each))
        if decision is not None:
            families["desired_replicas"].add_metric(names, decision.desired)
            families["wanted_replicas"].add_metric(names, decision.wanted)
        if decision is not None and decision.claim_ceiling is not None:
            families["failure_ceiling"].add_metric(names, decision.claim_ceiling)
        if spec is not None:
            families["max_replicas"].add_metric(names, spec.scaling.max_replicas)
            families["wait_goal_seconds"].add_metric(names, spec.goal.max_wait_seconds)
    return families.values()


def _database_families(facts: Sequence[QueueFacts]) -> Iterable[Metric]:
    """Give what databases hold, of the queues that were seen."""
    length = GaugeMetricFamily("taskfleet_queue_length", "Tasks by state", labels=(*_QUEUE, "kind", "state"))
    oldest = GaugeMetricFamily("taskfleet_oldest_ready_age_seconds", "How long the oldest ready task has waited", labels=_QUEUE)
    processed = CounterMetricFamily(
        "taskfleet_tasks_processed", "Attempts that ended, from the database's ledger", labels=(*_QUEUE, "kind", "outcome", "code")
    )
    for each in facts:
        if each.measurement is None:
            continue
        names = _names(each)
        oldest.add_metric(names, each.oldest_seconds)
        for labels, count in _lengths(each).items():
            length.add_metric((*names, *labels), count)
        for ended, count in _processed(each).items():
            processed.add_metric((*names, *ended), count)
    return length, oldest, processed


def _lengths(facts: QueueFacts) -> dict[tuple[str, str], int]:
    """Count tasks by kind and state; scheduled and failed ones are known for the whole queue only."""
    assert facts.measurement is not None
    known = _own_series(facts)
    lengths: dict[tuple[str, str], int] = {("", "scheduled"): facts.measurement.scheduled, ("", "failed"): facts.measurement.failed}
    for profile in facts.measurement.ready:
        place = (known.get(profile.kind, OTHER), "ready")
        lengths[place] = lengths.get(place, 0) + profile.count
    for running in facts.measurement.running:
        place = (known.get(running.kind, OTHER), "running")
        lengths[place] = lengths.get(place, 0) + running.count
    return lengths


def _processed(facts: QueueFacts) -> dict[tuple[str, str, str], int]:
    """Add up what ended by kind, outcome and code; arrivals are no outcome."""
    assert facts.measurement is not None
    known = _own_series(facts)
    counts: dict[tuple[str, str, str], int] = {}
    for total in facts.measurement.outcomes:
        if total.outcome == "enqueued":
            continue
        code = total.code if not total.code or total.code in _CODES else OTHER
        place = (known.get(total.kind, OTHER), total.outcome, code)
        counts[place] = counts.get(place, 0) + total.count
    return counts


def _own_series(facts: QueueFacts) -> dict[str, str]:
    """Give the kinds that get a series of their own: the first by name, so that it is the same ones every time."""
    assert facts.measurement is not None
    measured = facts.measurement
    kinds = {profile.kind for profile in measured.ready} | {running.kind for running in measured.running}
    kinds |= {total.kind for total in measured.outcomes}
    return {kind: kind for kind in sorted(kinds)[:MOST_KINDS]}
