"""Recurring tasks: stored, listed, forgotten."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskfleet.models import NewTask, Schedule
from taskfleet_ops.services.access import Address
from taskfleet_ops.services.tasks import producer_of


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to recur, and when."""

    queue: str
    name: str
    cron: str
    time_zone: str
    task: NewTask


def list_schedules(address: Address, *, queue: str) -> Sequence[Schedule]:
    """The recurring tasks of a queue, by name."""
    with producer_of(address, queue=queue) as producer:
        return producer.list_schedules()


def set_schedule(address: Address, wanted: Wanted) -> Schedule:
    """Store a recurring task, or replace that of the name; returns it as it is stored. Raises InvalidTaskError."""
    with producer_of(address, queue=wanted.queue) as producer:
        producer.schedule(wanted.name, wanted.cron, wanted.task, time_zone=wanted.time_zone)
        return next(schedule for schedule in producer.list_schedules() if schedule.name == wanted.name)


def delete_schedule(address: Address, *, queue: str, name: str) -> bool:
    """Forget a recurring task; False when there was none of the name."""
    with producer_of(address, queue=queue) as producer:
        return producer.unschedule(name)
