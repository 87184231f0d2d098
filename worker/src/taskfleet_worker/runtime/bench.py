"""What all jobs of a worker share."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskfleet.models import ClaimedTask
from taskfleet_worker.registry import Handler
from taskfleet_worker.rules.admission import Admission
from taskfleet_worker.rules.missing import MissingEntities
from taskfleet_worker.rules.slots import Slots
from taskfleet_worker.runtime.notes import Notes
from taskfleet_worker.runtime.outbox import Outbox

if TYPE_CHECKING:
    from taskfleet_worker.telemetry.tracing import Tracing

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What jobs share: the room they take and where they leave their endings."""

    handlers: Mapping[str, Handler]
    slots: Slots
    outbox: Outbox
    admission: Admission
    missing: MissingEntities
    notes: Notes
    overload_pause_seconds: float
    news: Callable[[], None]
    """Called when a job has ended or a slot became free."""
    lost: Callable[[ClaimedTask, float], None]
    """Called when a job's result is dropped because its lease was lost, with the seconds it ran."""
    ran: Callable[[float, int], None] = lambda _seconds, _count: None
    """Called with the seconds that a task, or each of so many, had its slot, however it ended."""
    tracing: "Tracing | None" = None
    """None: nobody traces."""
    clock: Clock = time.monotonic
