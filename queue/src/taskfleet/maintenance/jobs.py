"""The jobs: what each does, how often, and how much at once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

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
    trim_seconds: float = 60.0
    trim_batch: int = 1_000
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
        name="time_out_running",
        interval_seconds=lambda settings: settings.time_out_seconds,
        batch=lambda store, settings, due: store.time_out_running(due_seconds=due, limit=settings.time_out_batch),
    ),
    Job(
        name="expire_waiting",
        interval_seconds=lambda settings: settings.expire_seconds,
        batch=lambda store, settings, due: store.expire_waiting(due_seconds=due, limit=settings.expire_batch),
    ),
    Job(
        name="carry_out_requests",
        interval_seconds=lambda settings: settings.request_seconds,
        batch=lambda store, settings, due: store.carry_out_requests(due_seconds=due, limit=settings.request_batch),
    ),
    Job(
        name="create_partitions",
        interval_seconds=lambda settings: settings.partition_seconds,
        batch=lambda store, settings, due: store.create_partitions(due_seconds=due, days_ahead=settings.partition_days_ahead),
    ),
    Job(
        name="drop_old_partitions",
        interval_seconds=lambda settings: settings.drop_seconds,
        batch=lambda store, settings, due: store.drop_old_partitions(
            due_seconds=due, least_seconds=settings.memory_seconds, lock_seconds=settings.drop_lock_seconds
        ),
    ),
    Job(
        name="trim_dead_letters",
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
)
