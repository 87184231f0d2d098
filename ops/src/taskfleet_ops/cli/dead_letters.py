"""`taskfleet dead-letters`: look through failed and cancelled tasks, retry them, let them go."""

import sys
from typing import Annotated

import typer

from taskfleet.dead_letters import DeadLetterFilter
from taskfleet.words import DeadReason
from taskfleet_ops.cli.options import DatabaseUrl, Format, Output, Queue, Schema

Kind = Annotated[str | None, typer.Option("--kind", "-k", help="Only tasks of this kind.")]
TaskGroup = Annotated[str | None, typer.Option("--group", "-g", help="Only tasks of this group.")]
Trace = Annotated[str | None, typer.Option("--trace", help="Only tasks of this trace.")]
Reason = Annotated[DeadReason | None, typer.Option("--reason", "-r", help="Only tasks that ended for this reason.")]
Code = Annotated[str | None, typer.Option("--code", "-c", help="Only tasks with this error code.")]

group = typer.Typer(help="Look through failed and cancelled tasks, retry them, let them go.", no_args_is_help=False)


def add_to(app: typer.Typer) -> None:
    """Hang these commands into the tree."""
    app.add_typer(group, name="dead-letters")


@group.command("list")
def list_dead_letters(
    *,
    kind: Kind = None,
    task_group: TaskGroup = None,
    trace: Trace = None,
    reason: Reason = None,
    code: Code = None,
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, max=500, help="At most so many.")] = 50,
    after: Annotated[int | None, typer.Option("--after", help="Page on: older than this one.")] = None,
    queue: Queue = "default",
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """List failed and cancelled tasks, the newest first."""
    from taskfleet_ops.cli.listings import TASKS
    from taskfleet_ops.services import changes
    from taskfleet_ops.services.access import Address

    wanted = DeadLetterFilter(kind=kind, group=task_group, trace_id=trace, reason=reason, code=code)
    address = Address.given(url=database_url, schema=schema)
    TASKS.write(changes.dead_letters(address, queue=queue, wanted=wanted, limit=limit, after=after).tasks, output=output)


@group.command()
def stats(queue: Queue = "default", output: Output = Format.TABLE, database_url: DatabaseUrl = None, schema: Schema = "taskfleet") -> None:
    """Count failed and cancelled tasks: by kind, group, code, reason, fingerprint and age."""
    from taskfleet_ops.cli.pages import write_dead_letter_stats
    from taskfleet_ops.services import changes
    from taskfleet_ops.services.access import Address

    address = Address.given(url=database_url, schema=schema)
    write_dead_letter_stats(changes.dead_letter_stats(address, queue=queue), output=output)


@group.command()
def retry(
    *,
    kind: Kind = None,
    task_group: TaskGroup = None,
    trace: Trace = None,
    reason: Reason = None,
    code: Code = None,
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, max=500, help="At most so many, the newest.")] = 500,
    queue: Queue = "default",
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Retry the failed and cancelled tasks that match; single ones: `taskfleet tasks retry`."""
    from taskfleet_ops.cli.changes import write_changes
    from taskfleet_ops.services import changes
    from taskfleet_ops.services.access import Address

    wanted = DeadLetterFilter(kind=kind, group=task_group, trace_id=trace, reason=reason, code=code)
    address = Address.given(url=database_url, schema=schema)
    write_changes(changes.retry_dead_letters(address, queue=queue, wanted=wanted, limit=limit), output=output)


@group.command()
def purge(
    *,
    kind: Kind = None,
    task_group: TaskGroup = None,
    trace: Trace = None,
    reason: Reason = None,
    code: Code = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    queue: Queue = "default",
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Forget the failed and cancelled tasks that match, payloads included."""
    from taskfleet_ops.cli.output import write_value
    from taskfleet_ops.services import changes
    from taskfleet_ops.services.access import Address

    wanted = DeadLetterFilter(kind=kind, group=task_group, trace_id=trace, reason=reason, code=code)
    everything = "" if wanted != DeadLetterFilter() else "all "
    if not yes:
        typer.confirm(f"Forget {everything}dead letters of queue {queue!r} that match, for good?", abort=True, err=True)
    purged = changes.purge_dead_letters(Address.given(url=database_url, schema=schema), queue=queue, wanted=wanted)
    if output in (Format.JSON, Format.YAML):
        write_value({"purged": purged}, output=output)
    else:
        sys.stdout.write(f"{purged} purged\n")
