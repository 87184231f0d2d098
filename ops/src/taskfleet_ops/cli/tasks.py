"""`taskfleet tasks`: put tasks into a queue, look at them, and change them (`changes`)."""

import sys
from typing import Annotated

import typer

from taskfleet.words import TaskState
from taskfleet_ops.cli import changes
from taskfleet_ops.cli.options import DatabaseUrl, Format, Moment, Output, Queue, Schema

group = typer.Typer(help="Put tasks into a queue, look at them, change them.", no_args_is_help=False)


def add_to(app: typer.Typer) -> None:
    """Hang these commands into the tree."""
    changes.add_to(group)
    app.add_typer(group, name="tasks")


@group.command("list")
def list_tasks(
    *,
    state: Annotated[TaskState, typer.Option("--state", "-s", help="Only tasks in this state.")] = TaskState.READY,
    queue: Queue = "default",
    kind: Annotated[str | None, typer.Option("--kind", "-k", help="Only tasks of this kind.")] = None,
    task_group: Annotated[str | None, typer.Option("--group", "-g", help="Only tasks of this group.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-l", min=1, max=500, help="At most so many.")] = 50,
    after: Annotated[int | None, typer.Option("--after", help="Page on: tasks after this id.")] = None,
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """List tasks of one state, a page at a time."""
    import asyncio

    from taskfleet_ops.cli.listings import TASKS
    from taskfleet_ops.services import tasks
    from taskfleet_ops.services.access import Address

    wanted = tasks.Selection(queue=queue, state=state, kind=kind, group=task_group, limit=limit, after=after)
    TASKS.write(asyncio.run(tasks.list_tasks(Address.given(url=database_url, schema=schema), wanted)), output=output)


@group.command("get")
def get_task(
    task_id: Annotated[int, typer.Argument(help="Id of the task.", show_default=False)],
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Show one task: where it stands, its payload, and every attempt that went wrong."""
    from taskfleet_ops.cli.pages import write_task
    from taskfleet_ops.services import tasks
    from taskfleet_ops.services.access import Address

    write_task(tasks.get_task(Address.given(url=database_url, schema=schema), task_id), output=output)


@group.command()
def enqueue(
    kind: Annotated[str, typer.Argument(help="What the task is; a worker has a handler for it.", show_default=False)],
    payload: Annotated[str | None, typer.Argument(help="JSON; - reads standard input; none if left out.", show_default=False)] = None,
    *,
    queue: Queue = "default",
    priority: Annotated[int, typer.Option("--priority", "-p", min=0, max=9, help="Lower goes first.")] = 5,
    delay: Annotated[float | None, typer.Option("--delay", min=0, help="Not before so many seconds from now.")] = None,
    run_at: Moment = None,
    task_group: Annotated[str | None, typer.Option("--group", "-g", help="A label to filter and pause by.")] = None,
    entity: Annotated[str | None, typer.Option("--entity", "-e", help="What the task is about.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Idempotency key, unique among unfinished tasks of the kind.")] = None,
    max_attempts: Annotated[int | None, typer.Option("--max-attempts", min=1, help="What the kind says if left out.")] = None,
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Put one task into a queue."""
    from taskfleet_ops.cli.pages import write_enqueued
    from taskfleet_ops.services import tasks
    from taskfleet_ops.services.access import Address

    content = tasks.payload_of(sys.stdin.read() if payload == "-" else payload)
    enqueued = tasks.enqueue(
        Address.given(url=database_url, schema=schema),
        queue=queue,
        kind=kind,
        payload=content,
        priority=priority,
        delay_seconds=delay,
        run_at=run_at,
        group=task_group,
        entity=entity,
        idempotency_key=key,
        max_attempts=max_attempts,
    )
    write_enqueued(enqueued, output=output)
