"""The live view: one panel, redrawn twice a second."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from taskfleet_ops.demo.glance import Glance, History
from taskfleet_ops.demo.story import Story
from taskfleet_ops.text.figures import count, percent, span
from taskfleet_ops.text.sparkline import sparkline

_BAR_WIDTH = 40
_SPARK_WIDTH = 60
_FRESH_SECONDS = 3.0


class LiveView:
    """A context manager that owns the terminal's last lines while the demo runs."""

    def __init__(self, console: Console, *, story: Story) -> None:
        self._console, self._story = console, story
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def say(self, sentence: str) -> None:
        """A line that stays, above the panel."""
        self._console.print(sentence, highlight=False, markup=False)

    def show(self, history: History) -> None:
        """Redraw."""
        self._live.update(panel(history, story=self._story), refresh=True)


def panel(history: History, *, story: Story) -> RenderableType:
    """The whole view of one moment."""
    latest = history.latest
    figures = Table.grid(padding=(0, 2))
    figures.add_column(style="dim", no_wrap=True)
    figures.add_column(justify="right", no_wrap=True)
    figures.add_column()
    for row in _rows(history, story=story):
        figures.add_row(*row)
    title = f"taskfleet demo · queue {story.queue} · {span(latest.seconds)}"
    return Panel(Group(figures, Text(), _why(latest)), title=title, title_align="left", border_style="cyan", padding=(1, 2))


def _why(latest: Glance) -> Text:
    decision = latest.decision
    if decision is None:
        return Text("the operator looks around", style="dim")
    since = f"  (for {span(latest.decision_age_seconds)})" if latest.decision_age_seconds >= _FRESH_SECONDS else ""
    return Text.assemble((decision.reason, "bold"), "  ", decision.message, (since, "dim"))


def _rows(history: History, *, story: Story) -> Sequence[tuple[RenderableType, RenderableType, RenderableType]]:
    latest = history.latest
    finished = latest.finished
    waited = min(latest.oldest_seconds, latest.seconds)
    over = waited > story.goal_seconds
    answers = latest.answers
    return [
        ("waiting", count(latest.waiting), ProgressBar(total=story.tasks, completed=min(finished, story.tasks), width=_BAR_WIDTH)),
        ("running", count(latest.running), f"{percent(finished, story.tasks)} of {count(story.tasks)} tasks finished"),
        ("workers", count(latest.workers), f"of {story.workers} allowed, {latest.slots} slots"),
        ("completed", f"{count(history.completed_per_minute())}/min", f"{count(latest.succeeded)} done"),
        ("failed", f"{count(history.failed_per_minute())}/min", f"{count(latest.failed)} whose source is gone"),
        ("oldest wait", Text(span(waited), style="yellow" if over else ""), f"of {span(story.goal_seconds)} goal, since the demo began"),
        ("downstream", f"{count(answers.calls)} calls", f"{percent(answers.overload_answers, answers.calls)} refused"),
        ("finished/s", count(_latest_rate(history)), Text(sparkline(history.finished_rates(), width=_SPARK_WIDTH), style="cyan")),
    ]


def _latest_rate(history: History) -> float:
    rates = history.finished_rates()
    return rates[-1] if rates else 0.0
