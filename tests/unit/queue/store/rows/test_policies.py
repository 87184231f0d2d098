import pytest

from taskfleet.models import KindPolicy, QueuePolicy
from taskfleet.store.rows.policies import policy_fault


def kind(**values: object) -> QueuePolicy:
    return QueuePolicy(queue="mail", kinds=[KindPolicy(kind="send", **values)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "fault"),
    [
        pytest.param(QueuePolicy(queue=""), "policy of queue '': the queue has no name", id="no name"),
        pytest.param(
            QueuePolicy(queue="mail", stale_share=1.5),
            "policy of queue 'mail': stale_share is 1.5, it must be between 0 and 1",
            id="share above 1",
        ),
        pytest.param(
            QueuePolicy(queue="mail", max_concurrent=-1),
            "policy of queue 'mail': max_concurrent is -1, it must be 0 or more",
            id="negative limit",
        ),
        pytest.param(
            QueuePolicy(queue="mail", waiting_expiry_seconds=0),
            "policy of queue 'mail': waiting_expiry_seconds is 0, it must be more than 0",
            id="everything expires at once",
        ),
        pytest.param(
            QueuePolicy(queue="mail", kinds=[KindPolicy(kind="send"), KindPolicy(kind="send")]),
            "policy of queue 'mail': kind 'send' is named 2 times, name it once",
            id="a kind twice",
        ),
        pytest.param(
            kind(rate_starts=3),
            "policy of queue 'mail', kind 'send': rate_starts and rate_period_seconds belong together: give both or neither",
            id="half a rate",
        ),
        pytest.param(
            kind(max_attempts=0), "policy of queue 'mail', kind 'send': max_attempts is 0, it must be more than 0", id="no attempt"
        ),
        pytest.param(
            kind(max_concurrent=-2), "policy of queue 'mail', kind 'send': max_concurrent is -2, it must be 0 or more", id="negative quota"
        ),
        pytest.param(
            kind(max_backoff_seconds=1),
            "policy of queue 'mail', kind 'send': max_backoff_seconds is 1, below min_backoff_seconds, 2",
            id="bounds crossed with a default",
        ),
        pytest.param(
            QueuePolicy(queue="mail", kinds=[KindPolicy(kind="")]), "policy of queue 'mail', kind '': the kind has no name", id="nameless"
        ),
        pytest.param(kind(max_concurrent=0, rate_starts=1, rate_period_seconds=0.5), None, id="all well"),
        pytest.param(QueuePolicy(queue="mail"), None, id="defaults are well"),
    ],
)
def test_fault_names_field_found_and_allowed(policy: QueuePolicy, fault: str | None) -> None:
    assert policy_fault(policy) == fault
