"""`taskfleet simulate`: what the scaling law, or somebody else's, would do with a load."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from taskfleet_ops.cli.options import Format

_CONTROLLERS = "taskfleet,keda,keda-tuned,keda-tuned-behavior,plan"
_LOADS = "step, daily, bursty, hourly or long; mixed, lanes, short-goal, very-long, overload, saturation or shared"


def add_to(app: typer.Typer) -> None:
    """Hang this command into the tree."""
    app.command()(simulate)


def simulate(
    *,
    workload: Annotated[str, typer.Option("--workload", "-w", metavar="NAME", help=f"A made load: {_LOADS}.")] = "bursty",
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="Your own load instead: a CSV file with arrival,service[,kind].")
    ] = None,
    task_queue: Annotated[
        Path | None, typer.Option("--task-queue", "-f", metavar="FILE", help="A TaskQueue, whose goal, limits and quotas count.")
    ] = None,
    controllers: Annotated[
        str, typer.Option("--controllers", "-c", metavar="NAMES", help="Who scales, with commas between; `all` for every one.")
    ] = _CONTROLLERS,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=100, help="How often each is played, with chance falling otherwise.")] = 3,
    goal: Annotated[float | None, typer.Option("--goal", min=0.1, help="Seconds a task may wait; 120 for a trace.")] = None,
    max_replicas: Annotated[int | None, typer.Option("--max-replicas", min=1, help="Most pods; 100 for a trace.")] = None,
    concurrency: Annotated[int | None, typer.Option("--concurrency", min=1, help="Slots a pod; 1 by default.")] = None,
    startup: Annotated[
        str | None, typer.Option("--startup", metavar="LEAST-MOST", help="Seconds a pod takes to start, such as 10-20, the default.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", dir_okay=False, help="Draw demand, replicas and waits: a .png or .svg file.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", dir_okay=False, help="Write the result to this file as JSON.")] = None,
    output: Annotated[Format, typer.Option("--output", "-o", metavar="FORMAT", help="table, wide, json, yaml or name.")] = Format.TABLE,
) -> None:
    """Play a load through the scaling law and through others, and compare what they cost and how long tasks wait.

    Nothing is started and no database is needed. `taskfleet report --trace FILE` writes the load that a queue has had.
    """
    from taskfleet_ops.cli.progress import telling
    from taskfleet_ops.cli.simulate_pages import write_comparison, write_json
    from taskfleet_ops.cli.simulate_terms import chosen_controllers, chosen_terms, chosen_workload, require_ours
    from taskfleet_ops.pictures import draw, require_library
    from taskfleet_ops.services import simulation
    from taskfleet_ops.services.loads import LOADS, SHARED
    from taskfleet_ops.services.shared_cap import play_shared

    names, terms = chosen_controllers(controllers), chosen_terms(goal, max_replicas, concurrency, startup)
    if trace is None and chosen_workload(workload) == SHARED:
        require_ours(names, default=controllers == _CONTROLLERS, task_queue=task_queue)
    policy = None if task_queue is None else simulation.policy_in(task_queue)
    terms = replace(terms, policy=policy)
    if plot is not None:
        require_library(plot)
    numbers = range(1, seeds + 1)
    with telling() as told:
        if trace is not None:
            history = simulation.traced(trace, terms, numbers)
            played = simulation.play(history, names, seeds=numbers, told=told, policy=policy)
        elif workload == SHARED:
            played = play_shared(terms, seeds=numbers, told=told)
        else:
            loads = simulation.made(workload, terms, numbers)
            played = simulation.play(loads, names, seeds=numbers, told=told, policy=policy, downstream=LOADS[workload].downstream)
    write_comparison(played.comparison, output=output)
    if json_file is not None:
        write_json(played.comparison, json_file)
    if plot is not None:
        draw(played, plot)
