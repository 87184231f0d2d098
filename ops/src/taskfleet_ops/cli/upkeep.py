"""`taskfleet expire` and `check`: ending what waited for too long, and looking over the database."""

import sys
from typing import Annotated

import typer

from taskfleet_ops.cli.exit_codes import ExitCode
from taskfleet_ops.cli.options import DatabaseUrl, DryRun, Format, Output, QueueFilter, Schema, Yes, seconds_of
from taskfleet_ops.cli.progress import counting, under_way


def add_to(app: typer.Typer) -> None:
    """Hang these commands into the tree."""
    for command in (expire, check):
        app.command()(command)


def expire(
    *,
    queue: QueueFilter = None,
    kind: Annotated[str | None, typer.Option("--kind", "-k", help="Only tasks of this kind.")] = None,
    task_group: Annotated[str | None, typer.Option("--group", "-g", help="Only tasks of this group.")] = None,
    older_than: Annotated[
        float | None,
        typer.Option(
            "--older-than", parser=seconds_of, metavar="SPAN", help="Waiting for longer than 48h, 90m, ...; the policy's by default."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every queue of the database, where no filter is given.")] = False,
    batch: Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Tasks a transaction.")] = 1_000,
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> int:
    """End all tasks that have waited for too long: they become dead letters with the code TASK_EXPIRED."""
    import asyncio
    from dataclasses import replace

    from taskfleet.maintenance.expiry import Expiry
    from taskfleet_ops.cli.upkeep_pages import write_cleaning
    from taskfleet_ops.services import upkeep
    from taskfleet_ops.services.access import Address

    address = Address.given(url=database_url, schema=schema)
    wanted = Expiry(queue=queue, kind=kind, group=task_group, older_than_seconds=older_than, batch=batch, dry_run=dry_run)
    if not (dry_run or yes) and sys.stdin.isatty():
        with counting("counting") as progress:
            dry = asyncio.run(upkeep.expire(address, replace(wanted, dry_run=True), everything=everything, progress=progress))
        if dry.total:
            typer.confirm(f"End {dry.total:,} waiting tasks as TASK_EXPIRED?", abort=True, err=True)
    with counting("counting" if dry_run else "expiring") as progress:
        cleaning = asyncio.run(upkeep.expire(address, wanted, everything=everything, progress=progress))
    write_cleaning(cleaning, output=output)
    return ExitCode.OK if cleaning.total else ExitCode.NOTHING_CHANGED


def check(
    *,
    ledger_seconds: Annotated[float, typer.Option("--ledger-seconds", min=0.001, help="Compare the ledgers for at most so long.")] = 30.0,
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> int:
    """Look over the database: ledgers against a count, schema, vacuum horizon, dead rows, statistics, partitions, silent workers."""
    import asyncio

    from taskfleet_ops.cli.upkeep_pages import write_findings
    from taskfleet_ops.services import inspection
    from taskfleet_ops.services.access import Address

    with under_way("looking over the database"):
        found = asyncio.run(inspection.check(Address.given(url=database_url, schema=schema), ledger_seconds=ledger_seconds))
    return ExitCode.ERROR if write_findings(found, output=output) else ExitCode.OK
