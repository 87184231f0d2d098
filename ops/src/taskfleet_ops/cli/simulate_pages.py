"""How a comparison of controllers looks."""

import json
import sys
from pathlib import Path

from taskfleet_ops.cli.options import Format
from taskfleet_ops.cli.output import Column, Listing, plain, write_value
from taskfleet_ops.services.comparison import Comparison, Row
from taskfleet_ops.text.figures import count, span

ROWS = Listing[Row](
    columns=(
        Column(title="CONTROLLER", text=lambda row: row.controller),
        Column(title="POD-SECONDS", text=lambda row: count(row.pod_seconds), right=True),
        Column(title="OF BOUND", text=lambda row: "–" if row.of_the_bound is None else f"{row.of_the_bound:.2f}", right=True),
        Column(title="WAIT P50", text=lambda row: span(row.wait_p50_seconds), right=True),
        Column(title="P95", text=lambda row: span(row.wait_p95_seconds), right=True),
        Column(title="P99", text=lambda row: span(row.wait_p99_seconds), right=True),
        Column(title="LATE", text=lambda row: f"{row.late_percent:.2f} %", right=True),
        Column(title="KILLED", text=lambda row: f"{row.killed:.3g}", right=True),
        Column(title="SCALE ACTIONS", text=lambda row: count(row.scale_actions), right=True),
        Column(title="CALLS/TASK", text=lambda row: f"{row.calls_per_task:.2f}", right=True),
        Column(title="MOST PODS", text=lambda row: str(row.most_pods), right=True),
        Column(title="ABOUT", text=lambda row: row.about, wide=True),
    ),
    name=lambda row: row.controller,
)


def write_comparison(comparison: Comparison, *, output: Format) -> None:
    """One row a controller, and what the load was."""
    if output in (Format.JSON, Format.YAML):
        write_value(plain(comparison), output=output)
        return
    ROWS.write(comparison.rows, output=output)
    if output is not Format.NAME:
        sys.stdout.write(f"\n{_load(comparison)}\n")


def write_json(comparison: Comparison, path: Path) -> None:
    """The whole result, as a file."""
    path.write_text(json.dumps(plain(comparison), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _load(comparison: Comparison) -> str:
    least, most = comparison.startup_seconds
    many = len(comparison.seeds) > 1
    bound = comparison.bound_pod_seconds
    return (
        f"{comparison.workload}: {count(comparison.tasks)} tasks that should start within {span(comparison.goal_seconds)}; at most "
        f"{comparison.max_pods} pods of {comparison.slots} slot{'s' * (comparison.slots > 1)} that start in {least:g} to {most:g} s"
        f"{f'; nobody can do it below {count(bound)} pod-seconds' if bound else ''}"
        f"{f'; means of {len(comparison.seeds)} runs' if many else ''}"
    )
