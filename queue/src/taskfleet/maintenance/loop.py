"""The loop that runs maintenance, and never dies silently."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from random import Random

from taskfleet.backoff import jittered
from taskfleet.maintenance.jobs import JOBS, Job, MaintenanceSettings
from taskfleet.store.connection import Database
from taskfleet.store.maintenance_store import MaintenanceStore
from taskfleet.store.partitions import old_partitions

_log = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS = 60.0


async def run_once(
    database: Database, jobs: Sequence[str] | None = None, *, settings: MaintenanceSettings | None = None
) -> Mapping[str, int]:
    """Run jobs now, to their end, whether due or not; returns how much each handled. All jobs when none is named.

    A job that another process is at handles 0. Raises DatabaseUnreachableError, and ValueError for a job that does not exist.
    """
    if unknown := set(jobs or ()) - {job.name for job in JOBS}:
        message = f"there is no maintenance job {min(unknown)!r}: there are {', '.join(job.name for job in JOBS)}"
        raise ValueError(message)
    store, chosen = MaintenanceStore(database), settings or MaintenanceSettings()
    return {job.name: await _to_its_end(job, store, chosen, due_seconds=0) for job in JOBS if jobs is None or job.name in jobs}


async def preview(database: Database, *, settings: MaintenanceSettings | None = None) -> Mapping[str, int]:
    """What each job would find to do now, by job and at most 10,000 of each; changes nothing.

    Left out are jobs that must do their work to know it: fail_unserved, trim_succeeded, and the nightly ones (see `cleanup`'s dry run).
    """
    chosen = settings or MaintenanceSettings()
    found = await MaintenanceStore(database).preview(
        {
            "memory_seconds": chosen.memory_seconds,
            "sessions_seconds": chosen.sessions_seconds,
            "audit_seconds": chosen.audit_seconds,
            "days_ahead": chosen.partition_days_ahead,
        }
    )
    days = await old_partitions(database, least_seconds=chosen.memory_seconds, audit_seconds=chosen.audit_seconds)
    return {**found, "drop_old_partitions": len(days)}


class Maintenance:
    """Runs every job at its interval until it is told to stop.

    A job that raises is logged, counted in `failures` and comes again after a growing pause; the others go on.
    """

    def __init__(self, database: Database, *, settings: MaintenanceSettings | None = None, jobs: Sequence[Job] = JOBS) -> None:
        self._store = MaintenanceStore(database)
        self._settings = settings or MaintenanceSettings()
        self._jobs = jobs
        self._random = Random()
        self._in_a_row: dict[str, int] = {}
        self._next: dict[str, float] = {}
        self.failures: dict[str, int] = {}
        """Runs that raised, by job, since the start."""
        self.handled: dict[str, int] = {}
        """Rows handled by this process, by job, since the start."""
        self.alive_at = time.monotonic()
        """When the loop went round last (monotonic): a liveness probe may ask."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set; a batch that is under way is finished."""
        while not stop.is_set():
            self.alive_at = time.monotonic()
            for job in self._jobs:
                if not stop.is_set() and time.monotonic() >= self._next.get(job.name, 0.0):
                    self._next[job.name] = time.monotonic() + await self._run_job(job)
            until_next = min((self._next[job.name] for job in self._jobs if job.name in self._next), default=0.0) - time.monotonic()
            try:
                async with asyncio.timeout(max(until_next, 0.05)):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _run_job(self, job: Job) -> float:
        """Run one job; returns the seconds until it should come again."""
        interval = job.interval_seconds(self._settings)
        try:
            handled = await _to_its_end(job, self._store, self._settings, due_seconds=interval)
        except Exception as error:  # noqa: BLE001
            # The edge of the loop: whatever it was, the other jobs go on and this one comes again.
            self.failures[job.name] = self.failures.get(job.name, 0) + 1
            in_a_row = self._in_a_row[job.name] = self._in_a_row.get(job.name, 0) + 1
            pause = min(interval * 2**in_a_row, max(_LONGEST_PAUSE_SECONDS, interval))
            _log.exception("maintenance.failed", extra={"job": job.name, "error": str(error), "next_seconds": pause})
            return jittered(pause, random=self._random)
        self._in_a_row[job.name] = 0
        self.handled[job.name] = self.handled.get(job.name, 0) + handled
        if handled:
            _log.log(logging.INFO if job.cleans else logging.DEBUG, "maintenance.done", extra={"job": job.name, "handled": handled})
        # Jitter, so that a fleet does not ask in step.
        return self._random.uniform(interval * 0.9, interval * 1.1)


async def _to_its_end(job: Job, store: MaintenanceStore, settings: MaintenanceSettings, *, due_seconds: float) -> int:
    batch = await job.batch(store, settings, due_seconds)
    handled = batch.handled
    while batch.more:
        batch = await job.batch(store, settings, 0)
        handled += batch.handled
    return handled
