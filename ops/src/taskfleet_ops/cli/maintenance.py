"""`taskfleet maintenance` and `taskfleet audit`: what otherwise runs by itself, and the log of who did what."""

import sys
from typing import Annotated

import typer

from taskfleet_ops.cli.exit_codes import ExitCode
from taskfleet_ops.cli.options import DatabaseUrl, DryRun, Format, Output, QueueFilter, Schema, Yes, seconds_of
from taskfleet_ops.cli.progress import counting, under_way

audit = typer.Typer(help="The log of who did what.", no_args_is_help=False)


def add_to(app: typer.Typer) -> None:
    """Hang these commands into the tree."""
    app.command()(maintenance)
    app.add_typer(audit, name="audit")


def maintenance(
    *,
    job: Annotated[list[str] | None, typer.Option("--job", "-j", help="Only this job; may be given several times.")] = None,
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> int:
    """Run the jobs of maintenance now, whether they are due or not; or, with --dry-run, say what they would find to do."""
    import asyncio

    from taskfleet_ops.cli.upkeep_pages import JOB_COUNTS
    from taskfleet_ops.services import upkeep
    from taskfleet_ops.services.access import Address

    with under_way("looking" if dry_run else "running maintenance"):
        counts = asyncio.run(upkeep.maintain(Address.given(url=database_url, schema=schema), job or (), dry_run=dry_run))
    JOB_COUNTS.write(counts, output=output)
    return ExitCode.OK if any(item.count for item in counts) else ExitCode.NOTHING_CHANGED


@audit.command()
def prune(
    *,
    older_than: Annotated[float, typer.Option("--older-than", parser=seconds_of, metavar="SPAN", help="Entries older than 30d, 48h, ...")],
    actor: Annotated[str | None, typer.Option("--actor", help="Only what this one did.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="Only entries of this action.")] = None,
    queue: QueueFilter = None,
    kind: Annotated[str | None, typer.Option("--kind", "-k", help="Only entries about this kind.")] = None,
    task_group: Annotated[str | None, typer.Option("--group", "-g", help="Only entries about this group.")] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Entries a transaction.")] = 500,
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> int:
    """Forget old audit entries; that they were is written down."""
    import asyncio
    from dataclasses import replace

    from taskfleet.maintenance.pruning import AuditPruning
    from taskfleet_ops.cli.upkeep_pages import write_pruned
    from taskfleet_ops.services import upkeep
    from taskfleet_ops.services.access import Address

    address = Address.given(url=database_url, schema=schema)
    wanted = AuditPruning(
        older_than_seconds=older_than, actor=actor, action=action, queue=queue, kind=kind, group=task_group, batch=batch, dry_run=dry_run
    )
    if not (dry_run or yes) and sys.stdin.isatty():
        with counting("counting") as progress:
            dry = asyncio.run(upkeep.prune_audit(address, replace(wanted, dry_run=True), progress=progress))
        if dry.count:
            typer.confirm(f"Forget {dry.count:,} audit entries?", abort=True, err=True)
    with counting("counting" if dry_run else "pruning") as progress:
        pruned = asyncio.run(upkeep.prune_audit(address, wanted, progress=progress))
    write_pruned(pruned, output=output)
    return ExitCode.OK if pruned.count else ExitCode.NOTHING_CHANGED
