"""The jobs: what each does, how often, and how much at once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from taskfleet.maintenance.nightly import nightly
from taskfleet.maintenance.retention import trim_succeeded
from taskfleet.store.maintenance_store import Batch, MaintenanceStore


@dataclass(frozen=True, kw_only=True)
class MaintenanceSettings:
    """How often maintenance runs in the whole fleet together, and how much it does at once."""

    recover_seconds: float = 1.5
    """A lost worker's tasks wait this long at most after their lease has ended."""
    recover_batch: int = 50
    time_out_seconds: float = 5.0
    time_out_batch: int = 50
    expire_seconds: float = 10.0
    expire_batch: int = 1_000
    unserved_seconds: float = 15.0
    unserved_batch: int = 1_000
    unsupported_after_seconds: float = 300.0
    """How long a worker must have been live, and no handler for a kind seen, before its tasks fail as TASK_PAYLOAD_UNSUPPORTED."""
    fold_seconds: float = 1.0
    """Readers add what is not folded yet: the longer this is, the more they read."""
    fold_batch: int = 20_000
    request_seconds: float = 1.0
    """How often cancels are gone after that no worker has heard, and groups that are being paused or resumed."""
    request_batch: int = 1_000
    partition_seconds: float = 3_600.0
    partition_days_ahead: int = 7
    drop_seconds: float = 3_600.0
    drop_lock_seconds: float = 0.2
    """Longest that dropping a partition may make anybody wait."""
    schedule_seconds: float = 1.0
    schedule_batch: int = 100
    trim_seconds: float = 60.0
    trim_batch: int = 1_000
    audit_trim_seconds: float = 60.0
    audit_trim_batch: int = 500
    audit_seconds: float = 2_592_000.0
    """Audit entries live this long: 30 days; 0 keeps them for ever."""
    nightly_look_seconds: float = 60.0
    nightly_dry_run_hour: float = 1.0
    """The nightly cleaning says at this hour (UTC) what it would do,"""
    nightly_hour: float = 2.0
    """and does it at this one."""
    nightly_batch: int = 500
    memory_seconds: float = 2_592_000.0
    """Decisions and minutes older than this go: 30 days."""
    sessions_seconds: float = 86_400.0
    """Expired sessions stay this long, for leases of a claim that committed late."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One job of maintenance."""

    name: str
    interval_seconds: Callable[[MaintenanceSettings], float]
    batch: Callable[[MaintenanceStore, MaintenanceSettings, float], Awaitable[Batch]]
    """One batch; the number is how long ago the job must have run last."""
    cleans: bool = False
    """It ends or forgets people's tasks: what it does is logged for them to see."""


JOBS: Sequence[Job] = (
    Job(
        name="recover_leases",
        interval_seconds=lambda settings: settings.recover_seconds,
        batch=lambda store, settings, due: store.recover_leases(due_seconds=due, limit=settings.recover_batch),
    ),
    Job(
        name="fold_ledgers",
        interval_seconds=lambda settings: settings.fold_seconds,
        batch=lambda store, settings, due: store.fold_ledgers(due_seconds=due, limit=settings.fold_batch),
    ),
    Job(
        name="run_schedules",
        interval_seconds=lambda settings: settings.schedule_seconds,
        batch=lambda store, settings, due: store.run_schedules(due_seconds=due, limit=settings.schedule_batch),
    ),
    Job(
        name="time_out_running",
        cleans=True,
        interval_seconds=lambda settings: settings.time_out_seconds,
        batch=lambda store, settings, due: store.time_out_running(due_seconds=due, limit=settings.time_out_batch),
    ),
    Job(
        name="expire_waiting",
        cleans=True,
        interval_seconds=lambda settings: settings.expire_seconds,
        batch=lambda store, settings, due: store.expire_waiting(due_seconds=due, limit=settings.expire_batch),
    ),
    Job(
        name="carry_out_requests",
        interval_seconds=lambda settings: settings.request_seconds,
        batch=lambda store, settings, due: store.carry_out_requests(due_seconds=due, limit=settings.request_batch),
    ),
    Job(
        name="fail_unserved",
        cleans=True,
        interval_seconds=lambda settings: settings.unserved_seconds,
        batch=lambda store, settings, due: store.fail_unserved(
            due_seconds=due, limit=settings.unserved_batch, after_seconds=settings.unsupported_after_seconds
        ),
    ),
    Job(
        name="create_partitions",
        interval_seconds=lambda settings: settings.partition_seconds,
        batch=lambda store, settings, due: store.create_partitions(due_seconds=due, days_ahead=settings.partition_days_ahead),
    ),
    Job(
        name="drop_old_partitions",
        cleans=True,
        interval_seconds=lambda settings: settings.drop_seconds,
        batch=lambda store, settings, due: store.drop_old_partitions(
            due_seconds=due,
            least_seconds=settings.memory_seconds,
            audit_seconds=settings.audit_seconds,
            lock_seconds=settings.drop_lock_seconds,
        ),
    ),
    Job(
        name="trim_dead_letters",
        cleans=True,
        interval_seconds=lambda settings: settings.trim_seconds,
        batch=lambda store, settings, due: store.trim_dead_letters(due_seconds=due, limit=settings.trim_batch),
    ),
    Job(
        name="trim_memory",
        interval_seconds=lambda settings: settings.trim_seconds,
        batch=lambda store, settings, due: store.trim_memory(
            due_seconds=due,
            limit=settings.trim_batch,
            memory_seconds=settings.memory_seconds,
            sessions_seconds=settings.sessions_seconds,
        ),
    ),
    Job(
        name="trim_succeeded",
        cleans=True,
        interval_seconds=lambda settings: settings.drop_seconds,
        batch=lambda store, settings, due: trim_succeeded(store, due_seconds=due, limit=settings.trim_batch),
    ),
    Job(
        name="trim_audit",
        cleans=True,
        interval_seconds=lambda settings: settings.audit_trim_seconds,
        batch=lambda store, settings, due: store.trim_audit(
            due_seconds=due, limit=settings.audit_trim_batch, older_than_seconds=settings.audit_seconds
        ),
    ),
    Job(
        name="nightly_dry_run",
        interval_seconds=lambda settings: settings.nightly_look_seconds,
        batch=lambda store, settings, _: nightly(
            store, "nightly_dry_run", hour=settings.nightly_dry_run_hour, limit=settings.nightly_batch, dry_run=True
        ),
    ),
    Job(
        name="nightly_cleanup",
        interval_seconds=lambda settings: settings.nightly_look_seconds,
        batch=lambda store, settings, _: nightly(
            store, "nightly_cleanup", hour=settings.nightly_hour, limit=settings.nightly_batch, dry_run=False
        ),
    ),
)
