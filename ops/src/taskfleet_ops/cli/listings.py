"""The tables: which columns rows of each type have."""

from taskfleet.migrations import MigrationStatus
from taskfleet.models import Task
from taskfleet_ops.cli.output import Column, Listing
from taskfleet_ops.text.figures import moment

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
