from math import exp, log
from statistics import NormalDist

import pytest

from taskfleet_operator.scaling.estimates.service import forget, kinds_differ, service_seconds


def test_running_tasks_count_with_the_time_they_took_so_far() -> None:
    """23 of 50 tasks done after 300 s in 152 s each: they alone say 152 s, all fifty say 447 s."""
    assert service_seconds(prior=10, busy_seconds=23 * 152 + 27 * 300, departures=23) == pytest.approx(447.2, abs=0.1)


def test_fifty_long_tasks_are_not_mistaken_for_short_ones() -> None:
    """Lognormal tasks of about 580 s seen after 300 s: those that are done are three times shorter than the truth."""
    normal = NormalDist(mu=log(580) - 1.1**2 / 2, sigma=1.1)
    times = [exp(normal.inv_cdf((index + 0.5) / 50)) for index in range(50)]
    done = [seconds for seconds in times if seconds <= 300]

    completed_only = sum(done) / len(done)
    estimate = service_seconds(prior=10, busy_seconds=sum(min(300, seconds) for seconds in times), departures=len(done))

    assert completed_only == pytest.approx(152, rel=0.02)
    assert estimate == pytest.approx(444, rel=0.05)


@pytest.mark.parametrize(
    ("prior", "busy", "departures", "expected"),
    [
        pytest.param(10.0, 0.0, 0, 10.0, id="without evidence the prior counts"),
        pytest.param(10.0, 6.0, 3, 6.0, id="three tasks weigh as much as the prior"),
        pytest.param(10.0, 2000.0, 997, 2.03, id="many tasks drown it"),
        pytest.param(10.0, 0.0, 1e6, 0.001, id="no estimate falls to nothing"),
    ],
)
def test_service_seconds(prior: float, busy: float, departures: float, expected: float) -> None:
    assert service_seconds(prior=prior, busy_seconds=busy, departures=departures) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("departures", "expected"),
    [pytest.param(30, 1.0, id="thirty tasks are kept"), pytest.param(31, exp(-0.1), id="more fade within ten minutes")],
)
def test_forget(departures: float, expected: float) -> None:
    assert forget(departures, seconds=60) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param({}, False, id="no kind"),
        pytest.param({"a": 1.0}, False, id="one kind"),
        pytest.param({"a": 1.0, "b": 3.0}, False, id="three times is alike"),
        pytest.param({"a": 1.0, "b": 3.1}, True, id="more than three times differs"),
    ],
)
def test_kinds_differ(known: dict[str, float], expected: bool) -> None:
    assert kinds_differ(known) is expected
