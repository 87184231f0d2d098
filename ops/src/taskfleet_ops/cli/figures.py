"""`taskfleet stats`, `trend`, `report` and `explain`: what a queue does, and why its fleet has the size it has."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from taskfleet_ops.cli.options import DatabaseUrl, Format, Output, Queue, Schema
from taskfleet_ops.cli.progress import under_way


def add_to(app: typer.Typer) -> None:
    """Hang these commands into the tree."""
    for command in (stats, trend, report, explain):
        app.command()(command)


def stats(
    queue: Annotated[str | None, typer.Option("--queue", "-q", help="Only this queue; all of the database by default.")] = None,
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Count tasks by kind and state, failures by code, and show what needs attention."""
    import asyncio

    from taskfleet_ops.cli.figure_pages import write_stats
    from taskfleet_ops.services import figures
    from taskfleet_ops.services.access import Address

    with under_way("asking the database"):
        answer = asyncio.run(figures.stats(Address.given(url=database_url, schema=schema), queue))
    write_stats(answer, output=output)


def trend(
    queue: Queue = "default",
    minutes: Annotated[int, typer.Option("--minutes", "-m", min=1, max=1_440, help="How far to look back.")] = 10,
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Show workers, completed and failed tasks minute by minute."""
    import asyncio

    from taskfleet_ops.cli.figure_pages import write_trend
    from taskfleet_ops.services import figures
    from taskfleet_ops.services.access import Address

    with under_way("asking the database"):
        answer = asyncio.run(figures.trend(Address.given(url=database_url, schema=schema), queue, minutes=minutes))
    write_trend(answer, output=output)


def report(
    queue: Queue = "default",
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="Write the load it has had as CSV instead; - for standard output.")
    ] = None,
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Show what a queue's work has brought and cost since it began, or write it as a load that `taskfleet simulate` plays."""
    import asyncio

    from taskfleet_ops.cli.figure_pages import write_report
    from taskfleet_ops.services import figures, history
    from taskfleet_ops.services.access import Address

    if trace is not None:
        with under_way("reading the queue's history"):
            tasks = asyncio.run(history.write_trace(Address.given(url=database_url, schema=schema), queue, trace))
        if trace != history.STANDARD_OUTPUT:
            sys.stdout.write(f"{tasks} tasks written; `taskfleet simulate --trace {trace}` plays them\n")
        return
    with under_way("asking the database"):
        answer = asyncio.run(figures.report(Address.given(url=database_url, schema=schema), queue))
    write_report(answer, output=output)


def explain(
    queue: Annotated[str, typer.Argument(help="Name of the queue.", show_default=False)],
    history: Annotated[int, typer.Option("--history", min=0, max=1_000, help="How many decisions before the latest to show.")] = 10,
    output: Output = Format.TABLE,
    database_url: DatabaseUrl = None,
    schema: Schema = "taskfleet",
) -> None:
    """Say why a queue has this many workers: the operator's latest decision, its steps, and those before it."""
    import asyncio

    from taskfleet_ops.cli.figure_pages import write_explanation
    from taskfleet_ops.services import figures
    from taskfleet_ops.services.access import Address

    with under_way("asking the database"):
        answer = asyncio.run(figures.explain(Address.given(url=database_url, schema=schema), queue, history=history))
    write_explanation(answer, output=output)
