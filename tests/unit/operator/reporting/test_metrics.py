from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from taskfleet.measurements import AgeProfile, OutcomeCount
from taskfleet_operator.loop.facts import QueueFacts
from taskfleet_operator.reporting.metrics import MOST_KINDS, FleetMetrics
from tests.unit.operator.facts import FAULT, facts, known, measurement


def samples(metrics: FleetMetrics) -> dict[str, float]:
    """Each sample as `name{labels}`, without the three labels of the queue and without histogram buckets."""
    found = {}
    for family in text_string_to_metric_families(metrics.answer().body.decode()):
        for sample in family.samples:
            labels = {
                name: value for name, value in sorted(sample.labels.items()) if name not in ("namespace", "taskqueue", "queue", "version")
            }
            shown = ",".join(f"{name}={value}" for name, value in labels.items())
            if "bucket" not in sample.name and "created" not in sample.name:
                found[sample.name.removeprefix("taskfleet_") + (f"{{{shown}}}" if shown else "")] = sample.value
    return found


@pytest.mark.requirement("E8", "K2")
def test_numbers_of_the_last_tick_are_shown() -> None:
    metrics = FleetMetrics()
    metrics.leads(True)
    metrics.tick_took(0.02)

    metrics.show([facts(ceiling=16)])

    assert samples(metrics) == {
        "leader": 1.0,
        "reconcile_duration_seconds_count": 1.0,
        "reconcile_duration_seconds_sum": 0.02,
        "build_info{component=operator}": 1.0,
        "replicas": 2.0,
        "ready_replicas": 2.0,
        "desired_replicas": 2.0,
        "wanted_replicas": 2.0,
        "max_replicas": 100.0,
        "wait_goal_seconds": 120.0,
        "failure_ceiling": 16.0,
        "database_up": 1.0,
        "queue_length{kind=,state=scheduled}": 4.0,
        "queue_length{kind=,state=failed}": 1.0,
        "queue_length{kind=nap,state=ready}": 10.0,
        "queue_length{kind=nap,state=running}": 2.0,
        "oldest_ready_age_seconds": 30.0,
        "tasks_processed_total{code=,kind=nap,outcome=succeeded}": 30.0,
        "tasks_processed_total{code=TASK_ENTITY_NOT_FOUND,kind=nap,outcome=failed}": 10.0,
    }


def test_unseen_queue_leaves_its_database_series_out() -> None:
    metrics = FleetMetrics()

    metrics.show([facts(measurement=None), QueueFacts(known=known("broken", faults=(FAULT,), followed=False))])

    shown = samples(metrics)
    assert shown["database_up"] == 0.0
    assert not any(name.startswith(("queue_length", "oldest", "tasks_processed")) for name in shown)


def test_changes_of_replicas_are_counted_by_direction_and_reason() -> None:
    metrics = FleetMetrics()
    for _ in range(2):
        metrics.show([facts(scaled_to=3)])
    metrics.show([facts()])

    assert samples(metrics)["scaling_decisions_total{direction=up,reason=DeadlineDemand}"] == 2.0


def test_labels_are_bounded() -> None:
    kinds = [f"kind-{number:03}" for number in range(MOST_KINDS + 5)]
    ready = tuple(AgeProfile(kind=kind, priority=5, counts=[1], ages=[1]) for kind in kinds)
    odd = (OutcomeCount(kind="kind-000", outcome="failed", code="SOMETHING_ELSE", count=3, busy_seconds=0),)
    metrics = FleetMetrics()

    metrics.show([facts(measurement=replace(measurement(running=0), ready=ready, outcomes=odd))])

    shown = samples(metrics)
    assert shown["queue_length{kind=other,state=ready}"] == 5.0
    assert shown["tasks_processed_total{code=other,kind=kind-000,outcome=failed}"] == 3.0
