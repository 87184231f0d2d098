"""What `taskfleet simulate` was told, turned into values; what makes no sense is refused with what would."""

from collections.abc import Sequence
from pathlib import Path

import typer

from taskfleet_operator.simulation.rivals.roster import CONTROLLERS, known
from taskfleet_ops.services.loads import NAMES, SHARED
from taskfleet_ops.services.simulation import BEST_KEDA, OURS, PLAN, Terms

_SEARCHED = (BEST_KEDA, PLAN)
"""Found by trying, so not in the roster."""


def chosen_workload(name: str) -> str:
    """The name of a workload that there is."""
    if name not in NAMES:
        raise typer.BadParameter(f"there is no workload {name!r}: one of {', '.join(NAMES)}, or --trace FILE for your own")
    return name


def chosen_controllers(names: str) -> Sequence[str]:
    """Controllers that there are, each once, in the order they were named."""
    listed = [name.strip() for name in names.split(",") if name.strip()]
    if listed == ["all"]:
        return [*CONTROLLERS, *_SEARCHED]
    for name in listed:
        if name not in _SEARCHED and not known(name):
            raise typer.BadParameter(f"there is no controller {name!r}: {', '.join((*CONTROLLERS, *_SEARCHED))}, fixed:N, or all")
    if not listed:
        raise typer.BadParameter(f"--controllers names none: {', '.join((*CONTROLLERS, *_SEARCHED))}, fixed:N, or all")
    return list(dict.fromkeys(listed))


def require_ours(controllers: Sequence[str], *, default: bool, task_queue: Path | None) -> None:
    """Refuse what cannot be played under a shared cap."""
    if not default and list(controllers) != [OURS]:
        raise typer.BadParameter(f"--workload {SHARED}: only {OURS} shares a cap among queues; leave --controllers out")
    if task_queue is not None:
        raise typer.BadParameter(f"--workload {SHARED} is several queues: leave --task-queue out")


def chosen_terms(goal: float | None, max_pods: int | None, slots: int | None, startup: str | None) -> Terms:
    """The terms that were given."""
    return Terms(goal_seconds=goal, max_pods=max_pods, slots=slots, startup_seconds=None if startup is None else _span(startup))


def _span(text: str) -> tuple[float, float]:
    least, _, most = text.partition("-")
    try:
        span = float(least), float(most or least)
    except ValueError:
        span = (1.0, 0.0)
    if not 0 <= span[0] <= span[1] < 86_400:
        raise typer.BadParameter(f"--startup {text!r} is no span of seconds: write it as 10-20, or as 15")
    return span
