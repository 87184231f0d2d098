"""Pictures of a comparison: demand, replicas and waits over time. Needs matplotlib, which only `taskfleet simulate --plot` asks for."""

from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskfleet_operator.simulation.result import Moment
from taskfleet_ops.errors import PictureError
from taskfleet_ops.services.comparison import Played

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")
_POINTS = 1500
"""More are not seen, and make a file large."""
_COLORS = ("#0b6e4f", "#c8553d", "#5b5ea6", "#b8860b", "#3a86a8", "#8c4b76", "#6b705c", "#222222", "#999999")


def require_library(path: Path) -> None:
    """Raise PictureError unless a picture of this name can be drawn."""
    if path.suffix.lower() not in FORMATS:
        raise PictureError(f"--plot {path}: the name must end in .png or .svg")
    if find_spec("matplotlib") is None:
        raise PictureError("--plot needs matplotlib: install it with `pip install 'taskfleet-ops[simulate]'`")


def draw(played: Played, path: Path) -> None:
    """Three panels over one axis of time. Raises PictureError where the file cannot be written."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7), dpi=100, layout="constrained")
    demand, replicas, waits = figure.subplots(3, 1, sharex=True)
    for number, course in enumerate(played.courses):
        moments, color = thinned(course.moments), _COLORS[number % len(_COLORS)]
        minutes = [moment.at / 60 for moment in moments]
        look: dict[str, Any] = {"label": course.controller, "color": color, "linewidth": 1.1}
        demand.plot(minutes, [moment.demand for moment in moments], **look)
        replicas.step(minutes, [moment.held for moment in moments], where="post", **look)
        waits.plot(minutes, [moment.oldest_wait for moment in moments], **look)
    _label(demand, replicas, waits, played=played)
    try:
        _save(figure, path)
    except OSError as error:
        raise PictureError(f"--plot {path}: {error.strerror or error}") from error


def _save(figure: "Figure", path: Path) -> None:
    """The same file for the same numbers."""
    if path.suffix.lower() == ".svg":
        import matplotlib as mpl

        # No date, and no chance in the names of its parts.
        with mpl.rc_context({"svg.hashsalt": "taskfleet"}):
            figure.savefig(path, metadata={"Date": None})
        return
    from PIL import Image

    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    # A third of the size, and no difference to the eye: lines in few colours.
    Image.open(drawn).convert("RGB").quantize(64).save(path, format="png", optimize=True)


def _label(demand: "Axes", replicas: "Axes", waits: "Axes", *, played: Played) -> None:
    comparison = played.comparison
    demand.set_title(f"{comparison.workload}: {comparison.tasks:,} tasks, goal {comparison.goal_seconds:g} s", loc="left")
    demand.set_ylabel("tasks waiting\nor running")
    replicas.set_ylabel("pods that exist")
    waits.set_ylabel("oldest wait (s)")
    waits.axhline(comparison.goal_seconds, color="#888888", linestyle="--", linewidth=0.8)
    waits.set_xlabel("minutes")
    replicas.legend(loc="upper right", fontsize="small")
    for panel in (demand, replicas, waits):
        panel.grid(visible=True, color="#dddddd", linewidth=0.5)
        panel.set_ylim(bottom=0)
        panel.margins(x=0)


def thinned(moments: Sequence[Moment], *, points: int = _POINTS) -> Sequence[Moment]:
    """Few enough moments for a picture: of each stretch the one with the most pods and the one with the longest wait."""
    if len(moments) <= points:
        return moments
    width = -(-2 * len(moments) // points)
    kept: list[Moment] = []
    for start in range(0, len(moments), width):
        stretch = moments[start : start + width]
        peaks = (max(stretch, key=lambda moment: moment.held), max(stretch, key=lambda moment: moment.oldest_wait))
        kept.extend(sorted({moment.at: moment for moment in peaks}.values(), key=lambda moment: moment.at))
    return kept
