"""`taskfleet demo`: the whole product at work on this machine, in three minutes."""

from pathlib import Path
from typing import Annotated

import typer

TASKS = 88_000
"""Equal to the story's own number, repeated so that `--help` need not load it (a test holds them together)."""


def add_to(app: typer.Typer) -> None:
    """Hang this command into the tree."""
    app.command("demo")(demo)


def demo(
    tasks: Annotated[int, typer.Option("--tasks", min=1, help="How many tasks; half of them have a source that is gone.")] = TASKS,
    json_file: Annotated[Path | None, typer.Option("--json", dir_okay=False, help="Write the result to this file as JSON.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder with database and logs.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Plain lines, also on a terminal.")] = False,
    end_with_parent: Annotated[bool, typer.Option("--end-with-parent", help="End when the process that started it ends.")] = False,
    open_folder: Annotated[Path | None, typer.Option("--open", file_okay=False, help="Serve the database of a kept folder.")] = None,
) -> None:
    """Show the whole product at work on this machine: 88,000 tasks, PostgreSQL, operator, workers, a downstream that pushes back.

    Needs nothing but this program. Exit code 1 when a promise of the product was broken, each named on standard error.
    """
    if open_folder is not None:
        from taskfleet_ops.demo.reopen import reopen

        reopen(open_folder)
        return
    from taskfleet_ops.demo.run import DemoOptions, run_demo
    from taskfleet_ops.demo.story import Story

    options = DemoOptions(story=Story(tasks=tasks), json_file=json_file, keep=keep, plain=plain, end_with_parent=end_with_parent)
    raise typer.Exit(run_demo(options))
