"""How statistics, trend, report and explanation look."""

import sys
from collections.abc import Sequence
from datetime import datetime

from taskfleet.models import DecisionRecord
from taskfleet.reports import KindStats, QueueStats
from taskfleet_operator.scaling.reasons import Reason
from taskfleet_ops.cli.listings import ATTENTION, CODES, DECISIONS, KINDS, MINUTES
from taskfleet_ops.cli.options import Format
from taskfleet_ops.cli.output import plain, write_value
from taskfleet_ops.cli.pages import write_named
from taskfleet_ops.services.figures import Explanation, FleetMinute, Report
from taskfleet_ops.text.figures import ago, count, moment, percent, span
from taskfleet_ops.text.sparkline import sparkline

_STRUCTURED = (Format.JSON, Format.YAML)
_KINDS_NAMED = 10
"""Kinds whose share stands by itself."""


def write_stats(stats: QueueStats, *, output: Format) -> None:
    """Tasks by kind and state, with their share; failures by code; what needs attention."""
    if output in _STRUCTURED:
        write_value(plain(stats), output=output)
        return
    KINDS.write(stats.kinds, output=output)
    if output is Format.NAME:
        return
    sys.stdout.write(f"\n{_shares(stats.kinds)}\n{_kind_shares(stats.kinds)}\n")
    if stats.failed_by_code:
        _heading("failed, by code")
        CODES.write(stats.failed_by_code, output=output)
    if stats.attention:
        _heading("needs attention")
        ATTENTION.write(stats.attention, output=output)


def write_trend(minutes: Sequence[FleetMinute], *, output: Format) -> None:
    """One row a minute, and the shape of each figure."""
    MINUTES.write(minutes, output=output)
    if output in (Format.TABLE, Format.WIDE):
        series = {
            "workers": [float(minute.workers) for minute in minutes],
            "completed": [float(minute.work.succeeded) for minute in minutes],
            "failed": [float(minute.work.failed) for minute in minutes],
        }
        sys.stdout.write("\n")
        write_named([(name, f"{sparkline(values)}  at most {count(max(values, default=0))}") for name, values in series.items()])


def write_report(report: Report, *, output: Format) -> None:
    """What was done, what it took."""
    match output:
        case Format.JSON | Format.YAML:
            write_value(plain(report), output=output)
        case Format.NAME:
            sys.stdout.write(f"{report.work.queue}\n")
        case Format.TABLE | Format.WIDE:
            write_named([*_work_values(report), *_fleet_values(report)])


def write_explanation(explanation: Explanation, *, output: Format) -> None:
    """The latest decision in words, how it came about, and those before it."""
    latest = explanation.latest
    if output in _STRUCTURED:
        write_value(plain(explanation), output=output)
    elif output is Format.NAME:
        sys.stdout.write(f"{latest.reason if latest else ''}\n")
    elif latest is None:
        sys.stdout.write(f"no operator has decided about queue {explanation.queue} yet: is one running, with a TaskQueue for it?\n")
    else:
        _write_decision(latest)
        if explanation.history:
            _heading("before that")
            DECISIONS.write(explanation.history, output=output)


def _write_decision(decision: DecisionRecord) -> None:
    now = datetime.now().astimezone()
    sys.stdout.write(f"{decision.message}\n\n")
    values = [
        ("reason", f"{decision.reason}: {_sentence(decision.reason)}"),
        ("workers", f"{decision.replicas} now, {decision.desired} desired, {decision.wanted} wanted before ceilings"),
        ("tasks", f"{count(decision.ready)} ready, the oldest for {span(decision.oldest_seconds)}; {count(decision.running)} running"),
        ("ceiling", "none" if decision.ceiling is None else f"at most {decision.ceiling} tasks may run at once"),
        ("decided", f"{moment(decision.decided_at)}, {ago(decision.decided_at, now=now)}"),
    ]
    write_named(values)
    if decision.steps:
        _heading("how it came about")
        write_named([(str(step.get("name", "")), str(step.get("did", ""))) for step in decision.steps])


def _sentence(reason: str) -> str:
    return Reason(reason).sentence if reason in set(Reason) else "a reason that this release does not know"


def _shares(kinds: Sequence[KindStats]) -> str:
    total = sum(kind.total for kind in kinds)
    states = ("scheduled", "ready", "running", "succeeded", "failed", "cancelled")
    shares = ", ".join(f"{state} {percent(sum(getattr(kind, state) for kind in kinds), total)}" for state in states)
    return f"{count(total)} tasks: {shares}; {count(sum(kind.created_last_day for kind in kinds))} created in the last 24 h"


def _kind_shares(kinds: Sequence[KindStats]) -> str:
    """The kinds with most tasks, and the rest together."""
    total = sum(kind.total for kind in kinds)
    largest = sorted(kinds, key=lambda kind: (-kind.total, kind.queue, kind.kind))
    named = [f"{kind.queue}/{kind.kind} {percent(kind.total, total)}" for kind in largest[:_KINDS_NAMED]]
    if rest := largest[_KINDS_NAMED:]:
        named.append(f"{len(rest)} others {percent(sum(kind.total for kind in rest), total)}")
    return f"by kind: {', '.join(named) or 'none'}"


def _work_values(report: Report) -> Sequence[tuple[str, str]]:
    work = report.work
    ended = {(item.outcome, item.code): 0 for item in work.outcomes}
    for item in work.outcomes:
        ended[item.outcome, item.code] += item.count
    lasted = (work.last_minute - work.first_minute).total_seconds() + 60 if work.first_minute and work.last_minute else 0
    return [
        ("queue", work.queue),
        ("enqueued", count(work.enqueued)),
        ("finished", count(work.finished)),
        *((f"{outcome} {code}".strip(), count(number)) for (outcome, code), number in sorted(ended.items())),
        ("attempts per task", f"{work.attempts_per_task:.2f}"),
        ("slot-seconds", f"{count(work.busy_seconds)}, {span(work.busy_seconds / work.finished)} a task" if work.finished else "0"),
        ("worked", f"from {moment(work.first_minute)} for {span(lasted)}" if lasted else "not yet"),
    ]


def _fleet_values(report: Report) -> Sequence[tuple[str, str]]:
    fleet, finished = report.fleet, report.work.finished
    if fleet.since is None:
        return [("fleet", "no operator has decided about this queue yet")]
    each = f", {span(fleet.pod_seconds / finished)} a task" if finished else ""
    return [
        ("peak workers", count(fleet.peak_workers)),
        ("pod-seconds", f"{count(fleet.pod_seconds)}{each}"),
        ("scale actions", f"{fleet.scale_actions} since {moment(fleet.since)}"),
    ]


def _heading(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")
