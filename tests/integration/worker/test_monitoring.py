"""A worker's numbers in a real Pushgateway and a real Prometheus: they arrive, and its group is gone after its exit."""

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.monitoring import RealGateway, RealPrometheus, real_gateway, real_prometheus
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.integration.worker.conftest import Fleet

__all__ = ["real_gateway", "real_prometheus"]

GROUP = {"job": "taskfleet-worker", "owner": "taskfleet", "namespace": "media", "queue": "default", "pod": "mail-7f"}


@pytest.mark.requirement("K4")
@pytest.mark.requirement("E8")
def test_pushed_counters_reach_prometheus_and_the_group_goes_with_its_worker(
    fleet: "Fleet", real_gateway: RealGateway, real_prometheus: RealPrometheus
) -> None:
    worker = fleet.start(
        PUSHGATEWAY_URL=real_gateway.url, WORKER_ID="mail-7f", NAMESPACE="media", OWNER="taskfleet", PUSH_SECONDS="1", POLL_SECONDS="0.1"
    )
    fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded")
    fleet.wait_for_state(fleet.enqueue("fine", None), "failed")
    done = 'taskfleet_task_duration_seconds_count{kind="fine",outcome="succeeded"}'
    wait_until(lambda: real_prometheus.query(f"{done} == 1"))
    (found,) = real_prometheus.query(done)
    claims = real_prometheus.query('sum(taskfleet_claims_total{result="claimed"})')
    groups = real_gateway.groups()
    worker.send(signal.SIGTERM)
    code = worker.wait()

    assert {name: found["metric"][name] for name in GROUP} == GROUP
    assert float(claims[0]["value"][1]) >= 2
    assert (groups, code, real_gateway.groups()) == ([GROUP], 0, [])
    wait_until(lambda: not real_prometheus.query(done))


@pytest.mark.requirement("K4")
def test_a_gateway_that_is_away_holds_up_no_task(fleet: "Fleet") -> None:
    worker = fleet.start(PUSHGATEWAY_URL="http://127.0.0.1:9", PUSH_SECONDS="1", POLL_SECONDS="0.1")
    fleet.wait_for_state(fleet.enqueue("fine", {}), "succeeded")
    worker.wait_for_output('"push"')
    worker.send(signal.SIGTERM)

    assert worker.wait() == 0
