"""`taskfleet cleanup`: ending what ran or waited for too long, forgetting what is over."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from taskfleet_ops.cli.exit_codes import ExitCode
from taskfleet_ops.cli.options import DatabaseUrl, DryRun, Format, Output, QueueFilter, Schema, Yes, seconds_of
from taskfleet_ops.cli.progress import counting

if TYPE_CHECKING:
    from taskfleet.maintenance.cleanup import Cleanup
    from taskfleet_ops.services.access import Address


def add_to(app: typer.Typer) -> None:
    """Hang this command into the tree."""
    app.command()(cleanup)


class Forced(StrEnum):
    """States that a cleaning can force on tasks."""

    FAILED = "failed"
    CANCELLED = "cancelled"


RunningTimeout = Annotated[
    float | None, typer.Option("--running-timeout", parser=seconds_of, metavar="SPAN", help="End tasks that run for longer.")
]
PendingTimeout = Annotated[
    float | None, typer.Option("--pending-timeout", parser=seconds_of, metavar="SPAN", help="End tasks that wait for longer.")
]
FailureRetention = Annotated[
    float | None, typer.Option("--failure-retention", parser=seconds_of, metavar="SPAN", help="Forget failed tasks that are older.")
]
SuccessRetention = Annotated[
    float | None, typer.Option("--success-retention", parser=seconds_of, metavar="SPAN", help="Forget successes of older days.")
]
ForceStatus = Annotated[
    Forced | None, typer.Option("--force-status", help="End all tasks that wait or run for longer than --older-than in this state.")
]
OlderThan = Annotated[float | None, typer.Option("--older-than", parser=seconds_of, metavar="SPAN", help="With --force-status.")]


def cleanup(
    *,
    queue: QueueFilter = None,
    running_timeout: RunningTimeout = None,
    pending_timeout: PendingTimeout = None,
    failure_retention: FailureRetention = None,
    success_retention: SuccessRetention = None,
    stats_only: Annotated[bool, typer.Option("--stats-only", help="Only show the statistics.")] = False,
    force_status: ForceStatus = None,
    older_than: OlderThan = None,
    everything: Annotated[bool, typer.Option("--all", help="Every queue, with --force-status and no --queue.")] = False,
    batch: Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Tasks a transaction.")] = 500,
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> int:
    """End what has run or waited for too long, and forget what has been over for long enough."""
    from taskfleet.maintenance.cleanup import Cleanup
    from taskfleet.store.sweep_store import Overrides
    from taskfleet.words import TaskState
    from taskfleet_ops.services.access import Address

    if (force_status is None) is not (older_than is None):
        raise typer.BadParameter("--force-status and --older-than belong together: give both or neither")
    address = Address.given(url=database_url, schema=schema)
    if stats_only:
        return _stats(address, queue, output=output)
    limits = Overrides(
        running_seconds=older_than or running_timeout,
        waiting_seconds=older_than or pending_timeout,
        failed_seconds=failure_retention,
        succeeded_seconds=success_retention,
    )
    force = None if force_status is None else TaskState(force_status)
    wanted = Cleanup(queue=queue, limits=limits, force=force, batch=batch, dry_run=dry_run)
    return _clean(address, wanted, everything=everything, ask=not (dry_run or yes) and sys.stdin.isatty(), output=output)


def _stats(address: "Address", queue: str | None, *, output: Format) -> int:
    import asyncio

    from taskfleet_ops.cli.figure_pages import write_stats
    from taskfleet_ops.services import figures

    write_stats(asyncio.run(figures.stats(address, queue)), output=output)
    return ExitCode.OK


def _clean(address: "Address", wanted: "Cleanup", *, everything: bool, ask: bool, output: Format) -> int:
    import asyncio
    from dataclasses import replace

    from taskfleet.maintenance.cleanup import STEPS
    from taskfleet_ops.cli.upkeep_pages import write_cleaning
    from taskfleet_ops.services import upkeep

    if ask:
        with counting("counting") as progress:
            dry = asyncio.run(upkeep.cleanup(address, replace(wanted, dry_run=True), everything=everything, progress=progress))
        if dry.total:
            sums = {step: sum(item.count for item in dry.done if item.step == step) for step in STEPS}
            question = (
                f"End {sums['running']:,} running and {sums['waiting']:,} waiting tasks, "
                f"forget {sums['failed']:,} failed and {sums['succeeded']:,} succeeded ones?"
            )
            typer.confirm(question, abort=True, err=True)
    with counting("counting" if wanted.dry_run else "cleaning") as progress:
        cleaning = asyncio.run(upkeep.cleanup(address, wanted, everything=everything, progress=progress))
    write_cleaning(cleaning, output=output)
    return ExitCode.OK if cleaning.total else ExitCode.NOTHING_CHANGED
