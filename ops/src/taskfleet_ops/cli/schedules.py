"""`taskfleet schedules`: recurring tasks."""

import sys
from typing import Annotated

import typer

from taskfleet_ops.cli.exit_codes import ExitCode
from taskfleet_ops.cli.options import DatabaseUrl, Format, Output, Queue, Schema

Name = Annotated[str, typer.Argument(help="Name of the schedule, unique in its queue.", show_default=False)]

group = typer.Typer(help="Recurring tasks: store them, list them, forget them.", no_args_is_help=False)


def add_to(app: typer.Typer) -> None:
    """Hang these commands into the tree."""
    app.add_typer(group, name="schedules")


@group.command("list")
def list_schedules(
    queue: Queue = "default", output: Output = Format.TABLE, database_url: DatabaseUrl = None, schema: Schema = "taskfleet"
) -> None:
    """List the recurring tasks of a queue, with the ticks they had and wait for."""
    from taskfleet_ops.cli.listings import SCHEDULES
    from taskfleet_ops.services import schedules
    from taskfleet_ops.services.access import Address

    SCHEDULES.write(schedules.list_schedules(Address.given(url=database_url, schema=schema), queue=queue), output=output)


@group.command("set")
def set_schedule(
    name: Name,
    cron: Annotated[str, typer.Argument(help="When: minute hour day month weekday, in quotes.", show_default=False)],
    kind: Annotated[str, typer.Argument(help="Kind of the task that each tick enqueues.", show_default=False)],
    payload: Annotated[str | None, typer.Argument(help="JSON; - reads standard input; none if left out.", show_default=False)] = None,
    *,
    time_zone: Annotated[str, typer.Option("--time-zone", "-z", help="Where the clock hangs, such as Europe/Berlin.")] = "UTC",
    priority: Annotated[int, typer.Option("--priority", "-p", min=0, max=9, help="Lower goes first.")] = 5,
    task_group: Annotated[str | None, typer.Option("--group", "-g", help="A label to filter and pause by.")] = None,
    max_attempts: Annotated[int | None, typer.Option("--max-attempts", min=1, help="What the kind says if left out.")] = None,
    queue: Queue = "default",
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Store a recurring task, or replace the one of the name; one that stays as it was keeps the tick it waits for."""
    from taskfleet.models import NewTask
    from taskfleet_ops.cli.listings import SCHEDULES
    from taskfleet_ops.services import schedules, tasks
    from taskfleet_ops.services.access import Address

    content = tasks.payload_of(sys.stdin.read() if payload == "-" else payload)
    task = NewTask(kind=kind, payload=content, priority=priority, group=task_group, max_attempts=max_attempts)
    address = Address.given(url=database_url, schema=schema)
    stored = schedules.set_schedule(address, schedules.Wanted(queue=queue, name=name, cron=cron, time_zone=time_zone, task=task))
    SCHEDULES.write([stored], output=output)


@group.command("delete")
def delete_schedule(
    name: Name,
    *,
    queue: Queue = "default",
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> int:
    """Forget a recurring task; tasks that it has enqueued stay."""
    from taskfleet_ops.cli.output import write_value
    from taskfleet_ops.services import schedules
    from taskfleet_ops.services.access import Address

    deleted = schedules.delete_schedule(Address.given(url=database_url, schema=schema), queue=queue, name=name)
    if output in (Format.JSON, Format.YAML):
        write_value({"deleted": deleted}, output=output)
    else:
        sys.stdout.write(f"{'deleted' if deleted else 'there is none of this name'}\n")
    return ExitCode.OK if deleted else ExitCode.NOTHING_CHANGED
