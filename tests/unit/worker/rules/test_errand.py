import pytest

from taskfleet.words import Verdict
from taskfleet_worker.rules.errand import Errand, is_done


@pytest.mark.parametrize(
    ("errand", "verdict", "quiet", "expected"),
    [
        pytest.param(Errand.ENDLESS, Verdict.IDLE, True, False, id="an endless one goes on"),
        pytest.param(Errand.ONCE, Verdict.CLAIMED, False, True, id="once is done with a claim"),
        pytest.param(Errand.ONCE, Verdict.IDLE, True, True, id="once is done though there was nothing"),
        pytest.param(Errand.ONCE, Verdict.SESSION_LOST, True, False, id="a claim that was none does not count"),
        pytest.param(Errand.UNTIL_EMPTY, Verdict.CLAIMED, True, False, id="there was something"),
        pytest.param(Errand.UNTIL_EMPTY, Verdict.IDLE, False, False, id="what runs may enqueue more"),
        pytest.param(Errand.UNTIL_EMPTY, Verdict.IDLE, True, True, id="empty"),
        pytest.param(Errand.UNTIL_EMPTY, Verdict.QUOTA, True, False, id="work that may not start yet is waited for"),
        pytest.param(Errand.UNTIL_EMPTY, Verdict.PAUSED, True, True, id="a pause is not waited for"),
    ],
)
def test_an_errand_ends_with_the_claim_that_settles_it(errand: Errand, verdict: Verdict, quiet: bool, expected: bool) -> None:
    assert is_done(errand, verdict, quiet=quiet) is expected
