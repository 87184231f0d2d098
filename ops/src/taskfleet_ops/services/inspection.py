"""Looking over a database: what somebody should see to, worst first."""

import asyncio
from collections.abc import Sequence

from taskfleet.inspection.findings import Finding, Severity
from taskfleet.inspection.inspect import inspect
from taskfleet.inspection.rules import Thresholds
from taskfleet.migrations import MigrationState, MigrationStatus, Migrator
from taskfleet_ops.services.access import Address, opened

_ADVICE = {
    MigrationState.PENDING: "run `taskfleet migrate up`",
    MigrationState.CHANGED: "its file is another one than was applied: install the release that applied it, or restore the file",
    MigrationState.NEWER: "nothing is wrong: a newer release made it, which works with this one; drift is not looked for",
    MigrationState.UNKNOWN: "a newer release made it: upgrade taskfleet here, or roll back there",
}
_WORKING = (MigrationState.APPLIED, MigrationState.NEWER)


async def check(address: Address, *, ledger_seconds: float, thresholds: Thresholds | None = None) -> Sequence[Finding]:
    """Everything that somebody should look at; ledgers are counted for at most so many seconds.

    A schema that is not at this release's migration is all that is found: the rest cannot be asked. Raises DatabaseUnreachableError.
    """
    status = await asyncio.to_thread(Migrator(address.url, address.schema).status)
    if behind := [_finding(migration) for migration in status if migration.state not in _WORKING]:
        return behind
    newer = [_finding(migration, severity=Severity.WARNING) for migration in status if migration.state is MigrationState.NEWER]
    async with opened(address) as database:
        findings = await inspect(database, ledger_seconds=ledger_seconds, thresholds=thresholds)
    # What a newer release has added is no drift, and this one cannot tell it from drift.
    return [*(finding for finding in findings if not (newer and finding.check == "schema")), *newer]


def _finding(migration: MigrationStatus, *, severity: Severity = Severity.PROBLEM) -> Finding:
    return Finding(
        check="schema",
        severity=severity,
        subject=f"migration {migration.version:04d}_{migration.name}",
        found=f"it is {migration.state}",
        advice=_ADVICE[migration.state],
    )
