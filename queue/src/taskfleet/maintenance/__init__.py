"""Maintenance: named jobs in bounded batches, and the loop that runs them.

Whoever is up runs it: workers, operator and ops service alike. The database sees to it that one runs a job at a time, and that the
whole fleet together keeps the job's interval.
"""

from taskfleet.maintenance.jobs import JOBS, Job, MaintenanceSettings
from taskfleet.maintenance.loop import Maintenance, preview, run_once

__all__ = ["JOBS", "Job", "Maintenance", "MaintenanceSettings", "preview", "run_once"]
