"""The efficiency report at the end of the demo."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from taskfleet_ops.demo.glance import History
from taskfleet_ops.demo.result import DemoResult
from taskfleet_ops.demo.story import Story
from taskfleet_ops.text.figures import count, percent, span
from taskfleet_ops.text.sparkline import sparkline


def print_summary(console: Console, result: DemoResult, *, history: History, story: Story, failed: Mapping[str, int]) -> None:
    """The table, the shape of the work over time, and what the figures mean."""
    table = Table(title="Efficiency report", title_justify="left", title_style="bold", show_header=False, box=None, padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for row in (
        *_task_rows(result, history=history, failed=failed),
        *_call_rows(result),
        *_fleet_rows(result, history=history, story=story),
    ):
        table.add_row(*row)
    console.print()
    console.print(table)
    rates = history.finished_rates()
    console.print(f"  finished/s  {sparkline(rates, width=48)}  peak {count(max(rates, default=0))}", highlight=False)
    console.print()


def _task_rows(result: DemoResult, *, history: History, failed: Mapping[str, int]) -> Sequence[tuple[str, str, str]]:
    latest = history.latest
    attempts = result.good.succeeded + latest.failed + latest.retried
    by_code = [(f"failed, {code}", count(number), "") for code, number in sorted(failed.items())] or [("failed", "0", "")]
    return [
        ("tasks done", count(result.good.succeeded), f"of {count(result.good.total)} whose source exists"),
        *by_code,
        ("lost", count(result.lost), ""),
        ("attempts per task", f"{attempts / max(result.tasks, 1):.2f}", "overload answers use up none"),
        ("tasks killed", count(result.killed), "cut off while they ran"),
    ]


def _call_rows(result: DemoResult) -> Sequence[tuple[str, str, str]]:
    good, gone = result.good, result.gone
    refused = f"{percent(result.overload_answers, result.calls)} of {count(result.calls)} calls"
    return [
        ("calls per good task", f"{result.calls_for_good / max(good.total, 1):.2f}", f"{count(result.calls_for_good)} calls"),
        ("calls for gone sources", count(result.calls_for_gone), f"{count(gone.total)} tasks, {count(gone.distinct_entities)} sources"),
        ("overload answers", count(result.overload_answers), refused),
    ]


def _fleet_rows(result: DemoResult, *, history: History, story: Story) -> Sequence[tuple[str, str, str]]:
    pace = f"of {span(story.goal_seconds)}, at {story.calls_per_second:g} calls/s"
    return [
        ("workers", f"0 → {result.peak_workers} → {result.final_workers}", f"{result.scale_actions} scale actions"),
        ("pod-seconds", count(result.pod_seconds), ""),
        ("time to drain", span(history.drain_seconds), f"{span(result.seconds)} in all"),
        ("waited past the goal", count(result.late), pace),
    ]
