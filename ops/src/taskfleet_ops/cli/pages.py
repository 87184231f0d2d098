"""Answers about one thing: a page of named values instead of a table."""

import json
import sys
from collections.abc import Sequence

from taskfleet.dead_letters import AGE_BOUNDS_SECONDS, AgeClass, DeadLetterStats
from taskfleet.models import Enqueued, Task
from taskfleet_ops.cli.options import Format
from taskfleet_ops.cli.output import plain, write_value
from taskfleet_ops.text.figures import moment, span


def write_task(task: Task, *, output: Format) -> None:
    """One task: where it stands, its payload, every attempt that went wrong."""
    match output:
        case Format.JSON | Format.YAML:
            write_value(plain(task), output=output)
        case Format.NAME:
            sys.stdout.write(f"{task.task_id}\n")
        case Format.TABLE | Format.WIDE:
            write_named([(name, value) for name, value in _task_values(task) if value])
            for attempt in task.attempts:
                when = moment(attempt.finished_at)
                sys.stdout.write(f"attempt {attempt.attempt}  {when}  {attempt.code}  {attempt.message}\n")
            if task.stack and output is Format.WIDE:
                sys.stdout.write(f"{task.stack.rstrip()}\n")


def write_enqueued(enqueued: Enqueued, *, output: Format) -> None:
    """What became of a new task."""
    match output:
        case Format.JSON | Format.YAML:
            write_value(plain(enqueued), output=output)
        case Format.NAME:
            sys.stdout.write(f"{enqueued.task_id}\n")
        case Format.TABLE | Format.WIDE:
            was_there = " was there already: an unfinished task has the same key" if enqueued.duplicate else " enqueued"
            sys.stdout.write(f"task {enqueued.task_id}{was_there}\n")


def write_dead_letter_stats(stats: DeadLetterStats, *, output: Format) -> None:
    """Dead letters in numbers; `-o name` prints the fingerprints."""
    match output:
        case Format.JSON | Format.YAML:
            write_value(plain(stats), output=output)
        case Format.NAME:
            sys.stdout.writelines(f"{name}\n" for name in stats.by_fingerprint)
        case Format.TABLE | Format.WIDE:
            ages = {_age(item): item.count for item in stats.by_age if item.count}
            parts = {
                "kind": stats.by_kind,
                "group": stats.by_group,
                "code": stats.by_code,
                "reason": stats.by_reason,
                "like": stats.by_fingerprint,
                "due for": ages,
            }
            lines = [(title, f"{count:>9,}  {name}") for title, part in parts.items() for name, count in part.items()]
            write_named([("total", f"{stats.total:>9,}"), *lines])


def _age(item: AgeClass) -> str:
    longest = span(AGE_BOUNDS_SECONDS[-1])
    return f"{longest} and more" if item.below_seconds is None else f"less than {span(item.below_seconds)}"


def write_named(values: Sequence[tuple[str, str]]) -> None:
    """Names and values, one pair a line."""
    width = max((len(name) for name, _ in values), default=0)
    sys.stdout.writelines(f"{name:<{width}}  {value}\n" for name, value in values)


def _task_values(task: Task) -> Sequence[tuple[str, str]]:
    most = f" of {task.max_attempts}" if task.max_attempts else ""
    return [
        ("task", str(task.task_id)),
        ("queue", task.queue),
        ("kind", task.kind),
        ("state", task.state),
        ("priority", "" if task.priority is None else str(task.priority)),
        ("attempts", f"{task.attempt_count}{most}"),
        ("created", moment(task.created_at)),
        ("runs at", moment(task.run_at) if task.run_at else ""),
        ("last attempt", moment(task.last_attempt_at) if task.last_attempt_at else ""),
        ("lease until", moment(task.lease_expires_at) if task.lease_expires_at else ""),
        ("worker", task.worker or ""),
        ("finished", moment(task.finished_at) if task.finished_at else ""),
        ("group", task.group or ""),
        ("entity", task.entity or ""),
        ("key", task.idempotency_key or ""),
        ("trace", task.trace_id or ""),
        ("payload", "" if task.payload is None else json.dumps(task.payload, ensure_ascii=False)),
        ("result", "" if task.result is None else json.dumps(task.result, ensure_ascii=False)),
        ("reason", task.dead_reason or ""),
        ("error", f"{task.code}: {task.message}" if task.code else ""),
    ]
