"""One look over a database."""

from collections.abc import Sequence

from taskfleet.inspection.findings import Finding
from taskfleet.inspection.rules import Thresholds, findings
from taskfleet.store.connection import Database
from taskfleet.store.inspection_store import InspectionStore


async def inspect(database: Database, *, ledger_seconds: float = 30.0, thresholds: Thresholds | None = None) -> Sequence[Finding]:
    """Everything in this database that somebody should look at, worst first. Reads only, and counts for at most `ledger_seconds`."""
    facts = await InspectionStore(database).facts(ledger_seconds=ledger_seconds)
    found = findings(facts, thresholds or Thresholds())
    return tuple(sorted(found, key=lambda finding: finding.severity))
