"""`taskfleet tasks cancel`, `retry`, `pause` and `resume`: change tasks that are there."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from taskfleet.models import Changed
from taskfleet_ops.cli.options import DatabaseUrl, Format, Output, Queue, Schema

TaskIds = Annotated[list[int], typer.Argument(help="Ids of tasks.", show_default=False, metavar="ID...")]
MaybeTaskIds = Annotated[list[int] | None, typer.Argument(help="Ids of tasks.", show_default=False, metavar="[ID...]")]
TaskGroup = Annotated[str | None, typer.Option("--group", "-g", help="All tasks of this group.")]
Kind = Annotated[str | None, typer.Option("--kind", "-k", help="All tasks of this kind.")]
Whole = Annotated[bool, typer.Option("--all", help="The whole queue.")]


def add_to(group: typer.Typer) -> None:
    """Hang these commands beside those that enqueue and list."""
    for command in (cancel, retry, pause, resume):
        group.command()(command)


def cancel(task_ids: TaskIds, output: Output = Format.TABLE, database_url: DatabaseUrl = None, schema: Schema = "taskfleet") -> None:
    """Cancel tasks: what waits at once, what runs by its worker's next heartbeat."""
    _change("cancel", task_ids, output=output, database_url=database_url, schema=schema)


def retry(task_ids: TaskIds, output: Output = Format.TABLE, database_url: DatabaseUrl = None, schema: Schema = "taskfleet") -> None:
    """Let failed or cancelled tasks wait again, as if they were new."""
    _change("retry", task_ids, output=output, database_url=database_url, schema=schema)


def pause(
    task_ids: MaybeTaskIds = None,
    *,
    task_group: TaskGroup = None,
    kind: Kind = None,
    whole: Whole = False,
    queue: Queue = "default",
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Pause waiting tasks, a group, a kind or a queue; what runs goes on."""
    _require_one(task_ids, task_group, kind, whole=whole)
    if task_ids:
        return _change("pause", task_ids, output=output, database_url=database_url, schema=schema)
    from taskfleet_ops.services import changes
    from taskfleet_ops.services.access import Address

    target = changes.Target(queue=queue, group=task_group, kind=kind)
    changed = changes.pause(Address.given(url=database_url, schema=schema), target)
    return _write_switch(changed, done="paused", before="was paused already", output=output)


def resume(
    task_ids: MaybeTaskIds = None,
    *,
    task_group: TaskGroup = None,
    kind: Kind = None,
    whole: Whole = False,
    queue: Queue = "default",
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Take a pause back."""
    _require_one(task_ids, task_group, kind, whole=whole)
    if task_ids:
        return _change("resume", task_ids, output=output, database_url=database_url, schema=schema)
    from taskfleet_ops.services import changes
    from taskfleet_ops.services.access import Address

    target = changes.Target(queue=queue, group=task_group, kind=kind)
    changed = changes.resume(Address.given(url=database_url, schema=schema), target)
    return _write_switch(changed, done="resumed", before="was not paused", output=output)


def write_changes(changes: Sequence[Changed], *, output: Format) -> None:
    """One line a task; exit code 1 when one of them is not as it was wished."""
    from taskfleet_ops.cli.listings import CHANGES

    CHANGES.write(changes, output=output)
    if not all(changed.done for changed in changes):
        raise typer.Exit(1)


def _change(action: str, task_ids: Sequence[int], *, output: Format, database_url: str | None, schema: str) -> None:
    from taskfleet.client.lifecycle import Action
    from taskfleet_ops.services import changes
    from taskfleet_ops.services.access import Address

    address = Address.given(url=database_url, schema=schema)
    write_changes(changes.change_tasks(address, Action(action), task_ids), output=output)


def _require_one(task_ids: Sequence[int] | None, task_group: str | None, kind: str | None, *, whole: bool) -> None:
    if sum((bool(task_ids), task_group is not None, kind is not None, whole)) != 1:
        raise typer.BadParameter("say what: ids of tasks, or one of --group, --kind and --all")


def _write_switch(changed: bool, *, done: str, before: str, output: Format) -> None:  # What it writes.
    from taskfleet_ops.cli.output import write_value

    if output in (Format.JSON, Format.YAML):
        write_value({"changed": changed}, output=output)
    else:
        sys.stdout.write(f"{done if changed else before}\n")
