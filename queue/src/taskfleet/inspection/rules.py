"""The rules: facts in, findings out. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from taskfleet.inspection.facts import Facts, HorizonHolder, JobFacts, PartitionFacts, RelationFacts, SessionFacts
from taskfleet.inspection.findings import Finding, Severity


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """From where on something is worth a word."""

    horizon_warning_seconds: float = 300.0
    """A snapshot held for this long: vacuum falls behind on relations that turn over every second."""
    horizon_problem_seconds: float = 3_600.0
    dead_rows: int = 100_000
    """More dead rows than this, and more than twice the live ones."""
    changed_rows: int = 100_000
    """More changes than this since the statistics were made, and more than ten times the live rows."""
    silent_share: float = 0.5
    """A worker that was not heard of for this share of its lease: heartbeats come three times as often."""
    unrecovered_seconds: float = 30.0
    """Recovery runs every two seconds or so: leases that have been expired for longer have nobody to recover them."""
    idle_maintenance_seconds: float = 60.0
    """Folding runs every second."""


def findings(facts: Facts, thresholds: Thresholds) -> Iterator[Finding]:
    """Everything that is worth a word, problems of each rule first."""
    for sentence in facts.drift:
        yield Finding(
            check="schema",
            severity=Severity.PROBLEM,
            subject=sentence.split(" is ")[0].split(" was ")[0],
            found=sentence,
            advice="undo what was changed by hand, or compare with schema.sql and the migrations; an upgrade may fail on it",
        )
    yield from _ledgers(facts)
    for holder in facts.holders:
        yield from _horizon(holder, thresholds)
    for relation in facts.relations:
        yield from _relation(relation, thresholds)
    for partition in facts.partitions:
        yield from _partitions(partition)
    for session in facts.sessions:
        yield from _session(session, thresholds)
    for job in facts.jobs:
        yield from _job(job, thresholds)


def _ledgers(facts: Facts) -> Iterator[Finding]:
    if facts.ledger_faults is None:
        yield Finding(
            check="ledger",
            severity=Severity.WARNING,
            subject="ledgers",
            found=f"counting took longer than {facts.ledger_seconds:g} s, so the ledgers were not compared",
            advice="run the check again with a longer --ledger-seconds, at a quiet hour",
        )
    for fault in facts.ledger_faults or ():
        yield Finding(
            check="ledger",
            severity=Severity.PROBLEM,
            subject=f"{fault.queue}/{fault.kind} {fault.what}",
            found=f"the ledger says {fault.ledger:,}, there are {fault.truth:,}",
            advice="rows were changed by hand, or moved without their ledger: docs/upkeep.md says how to set the sums right",
        )


def _horizon(holder: HorizonHolder, thresholds: Thresholds) -> Iterator[Finding]:
    seconds = holder.seconds
    if seconds is not None and seconds < thresholds.horizon_warning_seconds:
        return
    severe = seconds is None or seconds >= thresholds.horizon_problem_seconds
    since = "" if seconds is None else f" for {seconds:,.0f} s"
    advice = {
        "connection": f"end its transaction, or the connection: SELECT pg_terminate_backend({holder.name})",
        "prepared transaction": f"ROLLBACK PREPARED '{holder.name}' or COMMIT PREPARED it",
        "replication slot": f"let its reader catch up, or drop it: SELECT pg_drop_replication_slot('{holder.name}')",
    }[holder.what]
    yield Finding(
        check="horizon",
        severity=Severity.PROBLEM if severe else Severity.WARNING,
        subject=f"{holder.what} {holder.name}",
        found=f"{holder.owner} ({holder.state}) holds the vacuum horizon{since}, {holder.transactions:,} transactions back",
        advice=advice,
    )


def _relation(relation: RelationFacts, thresholds: Thresholds) -> Iterator[Finding]:
    if relation.dead_rows > max(thresholds.dead_rows, 2 * relation.live_rows):
        yield Finding(
            check="dead_rows",
            severity=Severity.WARNING,
            subject=relation.relation,
            found=f"{relation.dead_rows:,} dead rows beside {relation.live_rows:,} live ones",
            advice="see whether something holds the vacuum horizon (above); if nothing does, VACUUM it and look at its autovacuum settings",
        )
    limit = max(thresholds.changed_rows, 10 * relation.live_rows)
    if relation.changed_rows > limit or (not relation.analyzed and relation.live_rows > thresholds.changed_rows):
        when = f"{relation.changed_rows:,} rows changed since" if relation.analyzed else f"never made, {relation.live_rows:,} rows"
        yield Finding(
            check="statistics",
            severity=Severity.WARNING,
            subject=relation.relation,
            found=f"statistics are stale: {when}",
            advice=f"ANALYZE {relation.relation}; see that autovacuum is on and not always busy elsewhere",
        )


def _partitions(partition: PartitionFacts) -> Iterator[Finding]:
    if partition.missing:
        first = min(partition.missing)
        yield Finding(
            check="partitions",
            severity=Severity.PROBLEM,
            subject=partition.relation,
            found=f"no partition for {', '.join(day.isoformat() for day in sorted(partition.missing))}",
            advice=f"from {first.isoformat()} on nothing can end: see that a worker or operator runs maintenance (job create_partitions)",
        )
    for name in partition.detaching:
        yield Finding(
            check="partitions",
            severity=Severity.WARNING,
            subject=name,
            found="a DETACH was cut off",
            advice=f"the next drop_old_partitions goes on; by hand: ALTER TABLE {partition.relation} DETACH PARTITION {name} FINALIZE",
        )


def _session(session: SessionFacts, thresholds: Thresholds) -> Iterator[Finding]:
    if session.expired and session.leases and session.silent_seconds - session.lease_seconds > thresholds.unrecovered_seconds:
        yield Finding(
            check="sessions",
            severity=Severity.PROBLEM,
            subject=f"worker {session.worker} of {session.queue}",
            found=f"lost {session.silent_seconds:,.0f} s ago, and its {session.leases:,} tasks were not taken back",
            advice="nobody runs the job recover_leases: see that a worker or an operator is up with maintenance on",
        )
    elif not session.expired and session.silent_seconds > thresholds.silent_share * session.lease_seconds:
        yield Finding(
            check="sessions",
            severity=Severity.WARNING,
            subject=f"worker {session.worker} of {session.queue}",
            found=(
                f"not heard of for {session.silent_seconds:,.0f} s of its lease of {session.lease_seconds:,.0f} s, "
                f"with {session.leases:,} tasks"
            ),
            advice="see whether its process hangs or lost the database; its tasks go to others when the lease ends",
        )


def _job(job: JobFacts, thresholds: Thresholds) -> Iterator[Finding]:
    if job.seconds_ago is None or job.seconds_ago > thresholds.idle_maintenance_seconds:
        when = "has never run" if job.seconds_ago is None else f"ran {job.seconds_ago:,.0f} s ago"
        yield Finding(
            check="maintenance",
            severity=Severity.PROBLEM,
            subject=job.job,
            found=f"{when}, and there is work for it",
            advice="start a worker (TASKFLEET_MAINTENANCE=true) or an operator: lost tasks come back and ledgers fold only where one runs",
        )
