"""What the loop keeps of each queue from one tick to the next, and when it is due to be written down."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from taskfleet.measurements import QueueMeasurement
from taskfleet.models import DecisionRecord
from taskfleet.words import Outcome
from taskfleet_operator.api.task_queue import QueueKey
from taskfleet_operator.databases.link import QueueSight
from taskfleet_operator.loop.facts import Rates
from taskfleet_operator.loop.observe import Startup
from taskfleet_operator.scaling import Decision, Memory

RATE_WINDOW_SECONDS: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class _Totals:
    at: float
    succeeded: int
    failed: int
    """Attempts that went wrong, repeated or not; releases are no verdict on a task."""


@dataclass(kw_only=True)
class Notes:
    """What is kept of one queue."""

    memory: Memory = field(default_factory=Memory)
    told: frozenset[str] = frozenset()
    """Pods whose start-up time the law was told."""
    blind_ticks: int = 0
    """Looks that failed in a row."""
    recorded: tuple[object, ...] | None = None
    recorded_at: float = float("-inf")
    saved_at: float = float("-inf")
    totals: deque[_Totals] = field(default_factory=deque)

    def see(self, sight: QueueSight) -> None:
        """Take in a look: start from what an earlier operator remembered, and count looks that failed."""
        if sight.saved is not None:
            self.memory = Memory.from_dict(sight.saved)
        self.blind_ticks = 0 if sight.measurement is not None else self.blind_ticks + 1

    def tell(self, startups: Iterable[Startup]) -> None:
        """Remember which start-ups the law knows; pods that are gone are forgotten with it."""
        self.told = frozenset(startup.pod for startup in startups)

    def record_due(self, decision: Decision, measurement: QueueMeasurement, *, now: float, every: float) -> DecisionRecord | None:
        """Give the record to write: at once when the decision differs, else its numbers now and then."""
        signature = (decision.reason, decision.desired, decision.replicas, decision.limited_by, decision.applied)
        if signature == self.recorded and now - self.recorded_at < every:
            return None
        self.recorded, self.recorded_at = signature, now
        return DecisionRecord(
            queue=measurement.queue,
            replicas=decision.replicas,
            wanted=decision.wanted,
            desired=decision.desired,
            reason=decision.reason.value,
            message=decision.message,
            ready=sum(profile.count for profile in measurement.ready),
            running=sum(kind.count for kind in measurement.running),
            oldest_seconds=max((profile.oldest_seconds for profile in measurement.ready), default=0.0),
            ceiling=decision.claim_ceiling,
            steps=tuple(
                {"name": step.name, "did": step.did, "slots": step.slots, "reason": step.reason.value if step.reason else None}
                for step in decision.steps
            ),
        )

    def state_due(self, *, now: float, every: float, changed: bool) -> Mapping[str, object] | None:
        """Give the law's memory when it is time to save it: now and then, and with every change of the fleet."""
        if not changed and now - self.saved_at < every:
            return None
        self.saved_at = now
        return self.memory.to_dict()

    def rates(self, measurement: QueueMeasurement, *, now: float) -> Rates | None:
        """Give what came out over the last minute; None until there are two looks to compare."""
        succeeded = sum(total.count for total in measurement.outcomes if total.outcome == Outcome.SUCCEEDED)
        failed = sum(total.count for total in measurement.outcomes if total.outcome in (Outcome.FAILED, Outcome.RETRIED))
        self.totals.append(_Totals(at=now, succeeded=succeeded, failed=failed))
        while len(self.totals) > 2 and now - self.totals[1].at >= RATE_WINDOW_SECONDS:
            self.totals.popleft()
        first, last = self.totals[0], self.totals[-1]
        if last.at <= first.at:
            return None
        good, bad = max(0, last.succeeded - first.succeeded), max(0, last.failed - first.failed)
        return Rates(
            finished_per_minute=good * 60 / (last.at - first.at),
            failure_percent=100 * bad / (good + bad) if good + bad else None,
        )


class Notebook:
    """The notes of all queues."""

    def __init__(self) -> None:
        self._notes: dict[QueueKey, Notes] = {}

    def __getitem__(self, key: QueueKey) -> Notes:
        return self._notes.setdefault(key, Notes())

    def keep_only(self, keys: Iterable[QueueKey]) -> None:
        """Forget queues that are gone."""
        for key in set(self._notes) - set(keys):
            del self._notes[key]
