import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from taskfleet.words import Outcome
from taskfleet_worker.telemetry.exposition import WorkerCollector, exposed, registry_of
from taskfleet_worker.telemetry.metrics import DURATION_BUCKETS, MOST_KINDS, Counter, Histogram, WorkerMetrics


def page(metrics: WorkerMetrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    registry = registry_of(WorkerCollector(metrics, slots=8, taken=lambda: 3))
    families = text_string_to_metric_families(exposed(registry).decode())
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


def labels(**given: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"queue": "mail", **given}.items()))


@pytest.mark.requirement("E8")
@pytest.mark.requirement("K4")
def test_the_page_shows_durations_waits_slots_and_counters() -> None:
    metrics = WorkerMetrics(queue="mail", kinds=["send"])
    for seconds in (0.004, 0.02, 5000.0):
        metrics.duration("send", Outcome.SUCCEEDED).observe(seconds)
    metrics.wait("send").observe(2.0)
    metrics.claims.add("claimed", 2)
    metrics.leases_lost.add("send")
    metrics.short_circuited.add("send")
    found = page(metrics)

    duration = {"kind": "send", "outcome": "succeeded"}
    assert found["taskfleet_task_duration_seconds_bucket", labels(**duration, le="0.005")] == 1
    assert found["taskfleet_task_duration_seconds_bucket", labels(**duration, le="0.025")] == 2
    assert found["taskfleet_task_duration_seconds_bucket", labels(**duration, le="+Inf")] == 3
    assert found["taskfleet_task_duration_seconds_sum", labels(**duration)] == pytest.approx(5000.024)
    assert found["taskfleet_task_wait_seconds_count", labels(kind="send")] == 1
    assert found["taskfleet_slots", labels()] == 8
    assert found["taskfleet_concurrent_tasks", labels()] == 3
    assert found["taskfleet_claims_total", labels(result="claimed")] == 2
    assert found["taskfleet_lease_lost_total", labels(kind="send")] == 1
    assert found["taskfleet_short_circuited_total", labels(kind="send")] == 1
    assert any(name == "taskfleet_build_info" for name, _ in found)
    assert any(name == "process_resident_memory_bytes" for name, _ in found)


def test_kinds_beyond_the_first_two_hundred_share_a_label() -> None:
    metrics = WorkerMetrics(queue="mail", kinds=[f"kind-{number}" for number in range(MOST_KINDS + 5)])
    for number in range(MOST_KINDS + 5):
        metrics.wait(f"kind-{number}").observe(1.0)
        metrics.duration(f"kind-{number}", Outcome.FAILED).observe(1.0)

    assert len(metrics.waits) == MOST_KINDS + 1
    assert sum(metrics.durations["other", Outcome.FAILED].counts) == 5


def test_counting_nothing_leaves_no_trace() -> None:
    counter = Counter("loop")
    counter.add("maintenance", 0)

    assert counter.counts == {}


@given(st.lists(st.one_of(st.sampled_from(DURATION_BUCKETS), st.floats(0.0, 5000.0))))
def test_many_values_are_counted_as_each_alone(values: list[float]) -> None:
    together, singly = Histogram(DURATION_BUCKETS), Histogram(DURATION_BUCKETS)
    together.observe_all(values)
    for value in values:
        singly.observe(value)

    assert together.counts == singly.counts
    assert together.total == pytest.approx(singly.total)


def test_values_of_many_kinds_go_each_to_its_own() -> None:
    metrics = WorkerMetrics(queue="mail", kinds=["send", "sort"])
    metrics.observe_waits([("send", 0.1), ("sort", 2.0), ("send", 0.3)])
    metrics.observe_successes([("sort", 0.5)])

    assert {kind: sum(histogram.counts) for kind, histogram in metrics.waits.items()} == {"send": 2, "sort": 1}
    assert metrics.durations["sort", Outcome.SUCCEEDED].total == 0.5
