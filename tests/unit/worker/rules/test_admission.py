import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskfleet_worker.rules.admission import Admission, KindLimit, Request


@pytest.mark.requirement("B16")
def test_without_limits_every_free_slot_is_asked_for() -> None:
    admission = Admission(["a", "b"], {"a": KindLimit(), "b": KindLimit()})

    assert admission.request(free=8, now=0.0) == Request(kinds=("a", "b"), limit=8)
    assert admission.next_start(now=0.0) is None


@pytest.mark.requirement("B16")
def test_a_claim_is_as_small_as_its_tightest_kind_allows() -> None:
    admission = Admission(["a", "b"], {"a": KindLimit(concurrency=3)})
    admission.taken("a")

    assert admission.request(free=8, now=0.0) == Request(kinds=("a", "b"), limit=2)


@pytest.mark.requirement("B16")
def test_a_tight_kind_makes_every_second_claim_small_only() -> None:
    admission, requests = Admission(["a", "b"], {"a": KindLimit(concurrency=3)}), []
    for _ in range(3):
        requests.append(admission.request(free=8, now=0.0))
        admission.asked()

    assert requests == [Request(kinds=("a", "b"), limit=3), Request(kinds=("b",), limit=8), Request(kinds=("a", "b"), limit=3)]


def test_where_all_kinds_are_tight_none_is_left_out() -> None:
    admission = Admission(["a", "b"], {"a": KindLimit(concurrency=3), "b": KindLimit(concurrency=2)})
    admission.asked()

    assert admission.request(free=8, now=0.0) == Request(kinds=("a", "b"), limit=2)


@pytest.mark.requirement("B16")
def test_a_kind_that_is_full_is_left_out() -> None:
    admission = Admission(["a", "b"], {"a": KindLimit(concurrency=1)})
    admission.taken("a")
    full = admission.request(free=8, now=0.0)
    admission.ended("a")

    assert full == Request(kinds=("b",), limit=8)
    assert admission.request(free=8, now=0.0) == Request(kinds=("a", "b"), limit=1)


@pytest.mark.requirement("B16")
def test_a_kind_with_a_rate_limit_starts_one_task_at_a_time_and_waits_between() -> None:
    admission = Admission(["a"], {"a": KindLimit(rate_limit_seconds=2.0)})
    first = admission.request(free=8, now=10.0)
    admission.taken("a")
    while_it_waits = (admission.request(free=7, now=99.0).limit, admission.next_start(now=99.0))
    admission.started("a", now=10.0)

    assert first.limit == 1
    assert while_it_waits == (0, None)
    assert admission.request(free=7, now=11.9).limit == 0
    assert admission.next_start(now=11.9) == 12.0
    assert admission.request(free=7, now=12.0).limit == 1


@pytest.mark.requirement("B16")
def test_a_task_that_leaves_its_slot_without_having_started_holds_up_nobody() -> None:
    admission = Admission(["a"], {"a": KindLimit(concurrency=1, rate_limit_seconds=2.0)})
    admission.taken("a")
    before = admission.request(free=8, now=10.0).limit
    admission.withdrawn("a")

    assert (before, admission.request(free=8, now=10.0).limit) == (0, 1)


@given(st.integers(1, 6), st.integers(1, 4), st.lists(st.sampled_from(["claim", "a ends", "b ends"]), max_size=60))
def test_no_kind_ever_runs_more_than_it_may(slots: int, limit: int, steps: list[str]) -> None:
    admission, running = Admission(["a", "b"], {"a": KindLimit(concurrency=limit)}), {"a": 0, "b": 0}
    for step in steps:
        if step == "claim":
            admission.asked()
            request = admission.request(free=slots - sum(running.values()), now=0.0)
            # The worst a claim can bring: nothing but the limited kind.
            kind = "a" if "a" in request.kinds else "b"
            for _ in range(request.limit):
                admission.taken(kind)
                running[kind] += 1
        elif running[step[0]]:
            admission.ended(step[0])
            running[step[0]] -= 1
        assert running["a"] <= limit
