import pytest

from taskfleet_operator.scaling import KindLimits, Memory, QueueObservation, ScalingPolicy
from taskfleet_operator.scaling.estimates.learn import Learned, learn
from tests.support.scaling import at, policy, ready, running, seen, total


def learned(*sights: QueueObservation, rules: ScalingPolicy | None = None, tick: float = 2.0) -> Learned:
    """What is known after a row of sights, a tick apart."""
    memory, last = Memory(), None
    for index, sight in enumerate(sights):
        now = at(seconds=index * tick)
        last = learn(sight, rules or policy(), memory, now=now)
        memory = Memory(decided_at=now, kinds=last.kinds, startups=last.startups)
    assert last is not None
    return last


def test_an_unknown_kind_takes_ten_seconds() -> None:
    assert learned(seen(ready=(ready(1),))).estimates.service == {"task": 10.0}


def test_the_spec_knows_better() -> None:
    rules = policy(kinds=(KindLimits(kind="task", expected_seconds=40),))

    assert learned(seen(), rules=rules).estimates.service == {"task": 40.0}


def test_history_from_before_the_first_look_is_a_prior_and_not_news() -> None:
    first = learned(seen(totals=(total("enqueued", 5000), total("succeeded", 1000, busy=2000.0))))

    assert first.estimates.service == {"task": 2.0}
    assert first.estimates.rates == {}
    assert first.happened["task"].departed == 0


def test_what_happened_since_the_last_look_is_counted_once() -> None:
    before, after = seen(totals=(total("succeeded", 10),)), seen(totals=(total("succeeded", 14, busy=8.0),))

    assert learned(before, after).happened["task"].departed == 4
    assert learned(before, after, after).happened["task"].departed == 0


def test_a_kind_that_appears_later_is_counted_from_its_first_task() -> None:
    assert learned(seen(), seen(totals=(total("succeeded", 4, busy=4.0),))).happened["task"].succeeded == 4


def test_the_same_moment_again_teaches_no_rate() -> None:
    sights = (seen(), seen(totals=(total("enqueued", 9),)))
    twice = learned(*sights, tick=0.0)

    assert twice.elapsed_seconds == 0
    assert twice.estimates.rates == {}


def test_similar_kinds_share_one_estimate() -> None:
    history = (total("succeeded", 100, busy=100.0, kind="a"), total("succeeded", 100, busy=200.0, kind="b"))
    times = learned(seen(), seen(totals=history)).estimates.service

    assert times["a"] == times["b"] == pytest.approx((30 + 300) / 203)


def test_kinds_that_differ_have_their_own() -> None:
    history = (total("succeeded", 100, busy=10.0, kind="a"), total("succeeded", 100, busy=6000.0, kind="b"))
    times = learned(seen(), seen(totals=history)).estimates.service

    assert times["a"] < 1.2
    assert times["b"] > 58


def test_a_new_kind_beside_different_ones_starts_at_their_mean() -> None:
    history = (total("succeeded", 100, busy=10.0, kind="a"), total("succeeded", 100, busy=6000.0, kind="b"))
    times = learned(seen(), seen(totals=history, ready=(ready(1, kind="new"),))).estimates.service

    assert times["new"] == pytest.approx((30 + 6010) / 203)


def test_running_tasks_raise_the_estimate_while_they_run() -> None:
    assert learned(seen(running=(running(1, each=300),))).estimates.service["task"] == pytest.approx(110)


def test_evidence_fades_once_there_is_enough() -> None:
    sights = [seen(), seen(totals=(total("succeeded", 100, busy=1000.0),))]
    later = learned(*sights, *([sights[-1]] * 300))

    assert later.kinds["task"].departures == pytest.approx(36.9, rel=0.02)


def test_arrivals_become_a_rate() -> None:
    sights = [seen(totals=(total("enqueued", 4 * tick),)) for tick in range(400)]

    assert learned(*sights).estimates.rates["task"] == pytest.approx(2.0, rel=0.05)


def test_startups_are_learned_and_give_the_lead() -> None:
    known = learned(seen(startup_seconds=(4.0, 6.0))).estimates

    assert known.startup_seconds == 6.0
    assert known.lead_seconds == 8.0


def test_nothing_known_at_all_is_typical_of_nothing() -> None:
    assert learned(seen()).estimates.typical_service_seconds == 10.0
