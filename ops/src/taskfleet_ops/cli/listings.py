"""The tables: which columns rows of each type have."""

from taskfleet.migrations import MigrationStatus
from taskfleet.models import Changed, DecisionRecord, Schedule, Task
from taskfleet.reports import Attention, CodeCount, KindStats
from taskfleet_ops.cli.output import Column, Listing
from taskfleet_ops.services.figures import FleetMinute
from taskfleet_ops.text.figures import count, moment, span

MIGRATIONS = Listing[MigrationStatus](
    columns=(
        Column(title="VERSION", text=lambda migration: f"{migration.version:04d}"),
        Column(title="NAME", text=lambda migration: migration.name),
        Column(title="STATE", text=lambda migration: migration.state),
        Column(title="APPLIED", text=lambda migration: moment(migration.applied_at)),
    ),
    name=lambda migration: f"{migration.version:04d}_{migration.name}",
)

TASKS = Listing[Task](
    columns=(
        Column(title="ID", text=lambda task: str(task.task_id), right=True),
        Column(title="KIND", text=lambda task: task.kind),
        Column(title="STATE", text=lambda task: task.state),
        Column(title="ATTEMPTS", text=lambda task: str(task.attempt_count), right=True),
        Column(title="CREATED", text=lambda task: moment(task.created_at)),
        Column(title="RUN AT", text=lambda task: moment(task.run_at), wide=True),
        Column(title="FINISHED", text=lambda task: moment(task.finished_at), wide=True),
        Column(title="GROUP", text=lambda task: task.group or "–", wide=True),
        Column(title="ENTITY", text=lambda task: task.entity or "–", wide=True),
        Column(title="WORKER", text=lambda task: task.worker or "–", wide=True),
        Column(title="CODE", text=lambda task: task.code or "–"),
        Column(title="MESSAGE", text=lambda task: task.message or "–"),
    ),
    name=lambda task: str(task.task_id),
)

CHANGES = Listing[Changed](
    columns=(
        Column(title="ID", text=lambda changed: str(changed.task_id), right=True),
        Column(title="OUTCOME", text=lambda changed: changed.outcome),
        Column(title="STATE", text=lambda changed: changed.state or "–"),
        Column(title="KEY HELD BY", text=lambda changed: "–" if changed.holder_id is None else str(changed.holder_id)),
    ),
    name=lambda changed: str(changed.task_id),
)

KINDS = Listing[KindStats](
    columns=(
        Column(title="QUEUE", text=lambda kind: kind.queue),
        Column(title="KIND", text=lambda kind: kind.kind),
        Column(title="SCHEDULED", text=lambda kind: count(kind.scheduled), right=True),
        Column(title="READY", text=lambda kind: count(kind.ready), right=True),
        Column(title="RUNNING", text=lambda kind: count(kind.running), right=True),
        Column(title="PAUSED", text=lambda kind: count(kind.paused), right=True),
        Column(title="SUCCEEDED", text=lambda kind: count(kind.succeeded), right=True),
        Column(title="FAILED", text=lambda kind: count(kind.failed), right=True),
        Column(title="CANCELLED", text=lambda kind: count(kind.cancelled), right=True),
        Column(title="LAST 24 H", text=lambda kind: count(kind.created_last_day), right=True),
    ),
    name=lambda kind: f"{kind.queue}/{kind.kind}",
)

CODES = Listing[CodeCount](
    columns=(
        Column(title="CODE", text=lambda code: code.code),
        Column(title="TASKS", text=lambda code: count(code.count), right=True),
    ),
    name=lambda code: code.code,
)

ATTENTION = Listing[Attention](
    columns=(
        Column(title="QUEUE", text=lambda item: item.queue),
        Column(title="KIND", text=lambda item: item.kind),
        Column(title="WHAT", text=lambda item: item.what.replace("_", " ")),
        Column(title="TASKS", text=lambda item: count(item.count), right=True),
        Column(title="OLDEST", text=lambda item: span(item.oldest_seconds), right=True),
    ),
    name=lambda item: f"{item.queue}/{item.kind}",
)

SCHEDULES = Listing[Schedule](
    columns=(
        Column(title="NAME", text=lambda schedule: schedule.name),
        Column(title="CRON", text=lambda schedule: schedule.cron),
        Column(title="TIME ZONE", text=lambda schedule: schedule.time_zone),
        Column(title="KIND", text=lambda schedule: schedule.task.kind),
        Column(title="NEXT", text=lambda schedule: moment(schedule.next_at)),
        Column(title="LAST", text=lambda schedule: moment(schedule.last_at)),
        Column(title="LAST TASK", text=lambda schedule: "–" if schedule.last_task_id is None else str(schedule.last_task_id), wide=True),
    ),
    name=lambda schedule: schedule.name,
)

MINUTES = Listing[FleetMinute](
    columns=(
        Column(title="MINUTE", text=lambda minute: minute.work.minute.strftime("%H:%M")),
        Column(title="WORKERS", text=lambda minute: str(minute.workers), right=True),
        Column(title="ENQUEUED", text=lambda minute: count(minute.work.enqueued), right=True),
        Column(title="COMPLETED", text=lambda minute: count(minute.work.succeeded), right=True),
        Column(title="FAILED", text=lambda minute: count(minute.work.failed), right=True),
        Column(title="RETRIED", text=lambda minute: count(minute.work.retried), right=True),
        Column(title="RELEASED", text=lambda minute: count(minute.work.released), right=True),
        Column(title="BUSY SLOTS", text=lambda minute: f"{minute.work.busy_seconds / 60:.1f}", right=True, wide=True),
        Column(title="CODES", text=lambda minute: ", ".join(f"{code} {count(n)}" for code, n in minute.work.codes.items()), wide=True),
    ),
    name=lambda minute: minute.work.minute.isoformat(),
)

DECISIONS = Listing[DecisionRecord](
    columns=(
        Column(title="DECIDED", text=lambda decision: moment(decision.decided_at)),
        Column(title="WORKERS", text=lambda decision: str(decision.replicas), right=True),
        Column(title="DESIRED", text=lambda decision: str(decision.desired), right=True),
        Column(title="WANTED", text=lambda decision: str(decision.wanted), right=True),
        Column(title="READY", text=lambda decision: count(decision.ready), right=True),
        Column(title="CEILING", text=lambda decision: "–" if decision.ceiling is None else str(decision.ceiling), right=True),
        Column(title="REASON", text=lambda decision: decision.reason),
        Column(title="MESSAGE", text=lambda decision: decision.message),
    ),
    name=lambda decision: decision.reason,
)
