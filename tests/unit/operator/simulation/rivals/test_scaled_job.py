"""KEDA's ScaledJob: what a poll creates."""

import pytest

from taskfleet_operator.simulation.rivals.scaled_job import ScaledJob, ScaledJobSpec, new_jobs
from tests.support.scaling import ready, seen


@pytest.mark.parametrize(
    ("metric", "jobs", "created"),
    [
        pytest.param(60, 20, 40, id="those that exist are subtracted"),
        pytest.param(60, 80, 0, id="enough jobs"),
        pytest.param(500, 20, 80, id="up to the maximum"),
        pytest.param(0, 0, 0, id="nothing to do"),
    ],
)
def test_new_jobs(metric: int, jobs: int, created: int) -> None:
    assert new_jobs(metric, target=1, jobs=jobs, max_replicas=100) == created


def test_a_target_above_one_means_fewer_jobs() -> None:
    assert new_jobs(41, target=4, jobs=0, max_replicas=100) == 11


def test_it_creates_at_polls_only() -> None:
    controller = ScaledJob(ScaledJobSpec(target=1), seed=2)
    first = controller.orders(seen(ready=(ready(3),)), now=0)
    poll = controller.tick_seconds
    second = controller.orders(seen(ready=(ready(3),)), now=poll)

    assert (first.replicas, second.replicas, second.jobs) == (0, 3, True)
    assert controller.tick_seconds == 30
