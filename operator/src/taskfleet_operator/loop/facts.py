"""All that one tick knows and did of one TaskQueue: what the report is made of."""

from dataclasses import dataclass

from taskfleet.measurements import QueueMeasurement
from taskfleet_operator.api.task_queue import TaskQueue
from taskfleet_operator.loop.fleet import FleetState, Scaled
from taskfleet_operator.loop.known import KnownQueue
from taskfleet_operator.scaling import Decision
from taskfleet_operator.trouble import Trouble


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What came out of a queue lately."""

    finished_per_minute: float
    """Tasks that ended well."""
    failure_percent: float | None
    """Attempts that failed, of all that ended; None: none ended."""


@dataclass(frozen=True, kw_only=True)
class QueueFacts:
    """One TaskQueue after one tick."""

    known: KnownQueue
    measurement: QueueMeasurement | None = None
    fleet: FleetState | None = None
    decision: Decision | None = None
    database_trouble: Trouble | None = None
    """Why the queue could not be seen or is not ours to scale."""
    target_trouble: Trouble | None = None
    """Why its workers could not be seen or scaled."""
    rates: Rates | None = None
    scaled: Scaled | None = None
    """What was done to the fleet; None: nothing was tried, or it failed."""

    @property
    def task_queue(self) -> TaskQueue | None:
        """The version that is followed."""
        return self.known.followed

    @property
    def scaled_from(self) -> int | None:
        """What the target was set to before this tick changed it; None: it was not changed."""
        if self.fleet is None or self.scaled is None or self.scaled.replicas == self.fleet.replicas:
            return None
        return self.fleet.replicas

    @property
    def ready_tasks(self) -> int:
        """Tasks that wait."""
        return sum(profile.count for profile in self.measurement.ready) if self.measurement else 0

    @property
    def running_tasks(self) -> int:
        """Tasks that run."""
        return sum(kind.count for kind in self.measurement.running) if self.measurement else 0

    @property
    def oldest_seconds(self) -> float:
        """How long the oldest ready task has waited."""
        return max((profile.oldest_seconds for profile in self.measurement.ready), default=0.0) if self.measurement else 0.0
