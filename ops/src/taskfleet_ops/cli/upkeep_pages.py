"""How cleaning and findings look."""

import sys
from collections.abc import Sequence

from taskfleet.inspection.findings import Finding, Severity
from taskfleet.maintenance.pruning import Pruned
from taskfleet.maintenance.results import Cleaned, Cleaning, Left
from taskfleet_ops.cli.options import Format
from taskfleet_ops.cli.output import Column, Listing, plain, write_value
from taskfleet_ops.services.upkeep import JobCount
from taskfleet_ops.text.figures import count, span

CLEANED = Listing[Cleaned](
    columns=(
        Column(title="QUEUE", text=lambda item: item.queue),
        Column(title="KIND", text=lambda item: item.kind),
        Column(title="WHAT", text=lambda item: item.step),
        Column(title="OLDER THAN", text=lambda item: span(item.limit_seconds), right=True),
        Column(title="TASKS", text=lambda item: count(item.count), right=True),
    ),
    name=lambda item: f"{item.queue}/{item.kind}",
)

LEFT = Listing[Left](
    columns=(
        Column(title="QUEUE", text=lambda item: item.queue),
        Column(title="KIND", text=lambda item: item.kind),
        Column(title="LEFT ALONE", text=lambda item: item.why),
    ),
    name=lambda item: f"{item.queue}/{item.kind}",
)

JOB_COUNTS = Listing[JobCount](
    columns=(
        Column(title="JOB", text=lambda item: item.job),
        Column(title="COUNT", text=lambda item: count(item.count), right=True),
    ),
    name=lambda item: item.job,
)

FINDINGS = Listing[Finding](
    columns=(
        Column(title="SEVERITY", text=lambda finding: finding.severity),
        Column(title="CHECK", text=lambda finding: finding.check),
        Column(title="OBJECT", text=lambda finding: finding.subject),
        Column(title="FOUND", text=lambda finding: finding.found),
        Column(title="WHAT TO DO", text=lambda finding: finding.advice, wide=True),
    ),
    name=lambda finding: f"{finding.check}/{finding.subject}",
)


def write_findings(found: Sequence[Finding], *, output: Format) -> bool:
    """What somebody should look at, with what to do below; True if there is a problem among it."""
    FINDINGS.write(found, output=output)
    if output in (Format.TABLE, Format.WIDE):
        problems = sum(finding.severity is Severity.PROBLEM for finding in found)
        if output is Format.TABLE:
            sys.stdout.writelines(f"\n{finding.subject}: {finding.advice}\n" for finding in found)
        sys.stdout.write(f"\n{problems} problems, {len(found) - problems} warnings\n" if found else "nothing found\n")
    return any(finding.severity is Severity.PROBLEM for finding in found)


def write_pruned(pruned: Pruned, *, output: Format) -> None:
    """How many audit entries went, or would."""
    if output in (Format.JSON, Format.YAML):
        write_value(plain(pruned), output=output)
    else:
        sys.stdout.write(f"{count(pruned.count)} {'would be forgotten (dry run)' if pruned.dry_run else 'forgotten'}\n")


def write_cleaning(cleaning: Cleaning, *, output: Format) -> None:
    """What was done, or would be, by kind; what was left alone and why; the sum."""
    match output:
        case Format.JSON | Format.YAML:
            write_value({**_fields(cleaning), "total": cleaning.total}, output=output)
        case Format.NAME:
            CLEANED.write(cleaning.done, output=output)
        case Format.TABLE | Format.WIDE:
            for rows, listing in ((cleaning.done, CLEANED), (cleaning.left, LEFT)):
                if rows:
                    listing.write(rows, output=output)  # type: ignore[arg-type]
                    sys.stdout.write("\n")
            sys.stdout.write(f"{count(cleaning.total)} {'would be changed (dry run)' if cleaning.dry_run else 'changed'}\n")


def _fields(cleaning: Cleaning) -> dict[str, object]:
    value = plain(cleaning)
    return dict(value) if isinstance(value, dict) else {}
