from datetime import date

import pytest

from taskfleet.inspection.facts import Facts, HorizonHolder, JobFacts, LedgerFault, PartitionFacts, RelationFacts, SessionFacts
from taskfleet.inspection.findings import Finding, Severity
from taskfleet.inspection.rules import Thresholds, findings


def look(**facts: object) -> list[Finding]:
    return list(findings(Facts(**{"ledger_faults": (), "ledger_seconds": 30.0, **facts}), Thresholds()))  # type: ignore[arg-type]


def holder(seconds: float | None, what: str = "connection", name: str = "4711") -> HorizonHolder:
    return HorizonHolder(what=what, name=name, owner="report as ann", state="idle in transaction", seconds=seconds, transactions=12_345)


def relation(*, live: int = 10, dead: int = 0, changed: int = 0, analyzed: bool = True) -> RelationFacts:
    return RelationFacts(relation="taskfleet.ready", live_rows=live, dead_rows=dead, changed_rows=changed, analyzed=analyzed)


def session(*, silent: float, leases: int = 3, expired: bool = False) -> SessionFacts:
    return SessionFacts(queue="mail", worker="w-1", silent_seconds=silent, lease_seconds=60.0, leases=leases, expired=expired)


@pytest.mark.parametrize(
    ("facts", "severity", "subject", "found"),
    [
        pytest.param(
            {"ledger_faults": [LedgerFault(queue="mail", kind="send", what="failed", ledger=7, truth=6)]},
            Severity.PROBLEM,
            "mail/send failed",
            "the ledger says 7, there are 6",
            id="ledger",
        ),
        pytest.param({"ledger_faults": None}, Severity.WARNING, "ledgers", "counting took longer than 30 s", id="ledger not compared"),
        pytest.param({"drift": ["index x on ready is missing"]}, Severity.PROBLEM, "index x on ready", "is missing", id="drift"),
        pytest.param(
            {"holders": [holder(400)]},
            Severity.WARNING,
            "connection 4711",
            "report as ann (idle in transaction) holds the vacuum horizon for 400 s, 12,345 transactions back",
            id="horizon for minutes",
        ),
        pytest.param({"holders": [holder(4_000)]}, Severity.PROBLEM, "connection 4711", "for 4,000 s", id="horizon for an hour"),
        pytest.param(
            {"holders": [holder(None, "replication slot", "standby")]}, Severity.PROBLEM, "replication slot standby", "holds", id="slot"
        ),
        pytest.param(
            {"relations": [relation(dead=100_001)]}, Severity.WARNING, "taskfleet.ready", "100,001 dead rows beside 10 live", id="dead rows"
        ),
        pytest.param(
            {"relations": [relation(changed=100_001)]},
            Severity.WARNING,
            "taskfleet.ready",
            "statistics are stale: 100,001 rows changed since",
            id="stale statistics",
        ),
        pytest.param(
            {"relations": [relation(live=200_000, analyzed=False)]},
            Severity.WARNING,
            "taskfleet.ready",
            "never made, 200,000 rows",
            id="no statistics",
        ),
        pytest.param(
            {"partitions": [PartitionFacts(relation="attempts", missing=[date(2026, 3, 2), date(2026, 3, 1)], detaching=[])]},
            Severity.PROBLEM,
            "attempts",
            "no partition for 2026-03-01, 2026-03-02",
            id="missing partition",
        ),
        pytest.param(
            {"partitions": [PartitionFacts(relation="attempts", missing=[], detaching=["attempts_20260301"])]},
            Severity.WARNING,
            "attempts_20260301",
            "a DETACH was cut off",
            id="cut detach",
        ),
        pytest.param(
            {"sessions": [session(silent=100, expired=True)]},
            Severity.PROBLEM,
            "worker w-1 of mail",
            "lost 100 s ago, and its 3 tasks were not taken back",
            id="lost worker whose tasks nobody takes back",
        ),
        pytest.param(
            {"sessions": [session(silent=40)]}, Severity.WARNING, "worker w-1 of mail", "not heard of for 40 s", id="silent worker"
        ),
        pytest.param({"jobs": [JobFacts(job="fold_ledgers", seconds_ago=61)]}, Severity.PROBLEM, "fold_ledgers", "ran 61 s ago", id="idle"),
        pytest.param({"jobs": [JobFacts(job="fold_ledgers", seconds_ago=None)]}, Severity.PROBLEM, "fold_ledgers", "never", id="never ran"),
    ],
)
def test_each_fault_is_found_with_what_to_do(facts: dict[str, object], severity: Severity, subject: str, found: str) -> None:
    (finding,) = look(**facts)

    assert (finding.severity, finding.subject) == (severity, subject)
    assert found in finding.found
    assert finding.advice


@pytest.mark.parametrize(
    ("what", "way_out"),
    [
        ("connection", "SELECT pg_terminate_backend(x)"),
        ("prepared transaction", "ROLLBACK PREPARED 'x'"),
        ("replication slot", "SELECT pg_drop_replication_slot('x')"),
    ],
)
def test_holder_of_the_horizon_comes_with_the_statement_that_ends_it(what: str, way_out: str) -> None:
    (finding,) = look(holders=[holder(9_999, what, "x")])

    assert way_out in finding.advice


def test_all_is_well_below_the_thresholds() -> None:
    found = look(
        holders=[holder(299)],
        relations=[relation(dead=100_000, changed=100_000), relation(live=1_000_000, dead=1_900_000, changed=9_000_000)],
        partitions=[PartitionFacts(relation="attempts", missing=[], detaching=[])],
        sessions=[session(silent=29), session(silent=80, expired=True), session(silent=900, expired=True, leases=0)],
        jobs=[JobFacts(job="fold_ledgers", seconds_ago=59)],
    )

    assert found == []
