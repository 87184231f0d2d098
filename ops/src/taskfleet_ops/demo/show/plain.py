"""The plain view: a line every few seconds and on every new reason, for logs and pipes."""

from types import TracebackType
from typing import Self

from rich.console import Console

from taskfleet_ops.demo.glance import Glance, History
from taskfleet_ops.demo.story import Story
from taskfleet_ops.text.figures import count, span


class PlainView:
    """Prints what changed."""

    def __init__(self, console: Console, *, story: Story, every_seconds: float = 5.0) -> None:
        self._console, self._story, self._every = console, story, every_seconds
        self._printed_at = float("-inf")
        self._reason = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to put back."""

    def say(self, sentence: str) -> None:
        """One line."""
        self._console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    def show(self, history: History) -> None:
        """Print the figures when it is time, and why when the reason is new."""
        latest = history.latest
        if latest.decision and latest.decision.reason != self._reason:
            self._reason = latest.decision.reason
            self.say(f"{span(latest.seconds):>10}  {latest.decision.reason}: {latest.decision.message}")
        if latest.seconds - self._printed_at >= self._every:
            self._printed_at = latest.seconds
            self.say(line(latest, history=history, goal_seconds=self._story.goal_seconds))


def line(latest: Glance, *, history: History, goal_seconds: float) -> str:
    """The figures of one moment."""
    waited = min(latest.oldest_seconds, latest.seconds)
    return (
        f"{span(latest.seconds):>10}  waiting {count(latest.waiting)} · running {latest.running} · workers {latest.workers}"
        f" · completed {count(history.completed_per_minute())}/min · failed {count(history.failed_per_minute())}/min"
        f" · oldest wait {span(waited)} of {span(goal_seconds)}"
    )
