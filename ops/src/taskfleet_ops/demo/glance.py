"""What one look at the queue shows, and what many looks add up to. Pure: values in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from taskfleet.measurements import QueueMeasurement
from taskfleet.models import DecisionRecord
from taskfleet.words import ErrorCode, Outcome
from taskfleet_ops.demo.downstream.answers import AnswerCounts


@dataclass(frozen=True, kw_only=True)
class Glance:
    """The queue, its fleet and the downstream at one moment."""

    seconds: float
    """Since the demo began."""
    waiting: int = 0
    running: int = 0
    """Tasks under a lease."""
    workers: int = 0
    """Workers that exist: running ones, and those that the operator has started."""
    slots: int = 0
    """Slots of the workers that have registered."""
    oldest_seconds: float = 0.0
    """Age of the oldest waiting task."""
    outcomes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many attempts ended so, by outcome and code."""
    answers: AnswerCounts = field(default_factory=AnswerCounts)
    decision: DecisionRecord | None = None
    """The latest on record: one is kept when it differs from the one before, and now and then."""
    decision_age_seconds: float = 0.0

    def count(self, outcome: Outcome, code: ErrorCode | None = None) -> int:
        """Attempts that ended so; with a code, only those with it."""
        return sum(number for (found, why), number in self.outcomes.items() if found == outcome and code in (None, why))

    @property
    def succeeded(self) -> int:
        """Tasks done well."""
        return self.count(Outcome.SUCCEEDED)

    @property
    def failed(self) -> int:
        """Tasks that became dead letters."""
        return self.count(Outcome.FAILED)

    @property
    def retried(self) -> int:
        """Attempts that went wrong and were followed by another."""
        return self.count(Outcome.RETRIED)

    @property
    def finished(self) -> int:
        """Tasks that ended, well or not."""
        return self.succeeded + self.failed + self.count(Outcome.CANCELLED)

    @property
    def killed(self) -> int:
        """Attempts cut off while they ran."""
        cut = {ErrorCode.SHUTDOWN, ErrorCode.LEASE_EXPIRED, ErrorCode.TIMED_OUT}
        return sum(number for (_, code), number in self.outcomes.items() if code in cut)

    @property
    def failed_by_code(self) -> Mapping[str, int]:
        """Dead letters by error code."""
        return {code: number for (outcome, code), number in self.outcomes.items() if outcome == Outcome.FAILED}

    @property
    def idle(self) -> bool:
        """No task waits or runs."""
        return not self.waiting and not self.running


def glance_of(measurement: QueueMeasurement, *, decision: DecisionRecord | None, answers: AnswerCounts, seconds: float) -> Glance:
    """Add up a measurement."""
    outcomes: dict[tuple[str, str], int] = {}
    for outcome in measurement.outcomes:
        key = (outcome.outcome, outcome.code)
        outcomes[key] = outcomes.get(key, 0) + outcome.count
    return Glance(
        seconds=seconds,
        waiting=measurement.scheduled + sum(profile.count for profile in measurement.ready),
        running=sum(kind.count for kind in measurement.running),
        workers=max(len(measurement.sessions), decision.replicas if decision else 0),
        slots=sum(session.slots for session in measurement.sessions),
        oldest_seconds=max((profile.oldest_seconds for profile in measurement.ready), default=0.0),
        outcomes=outcomes,
        answers=answers,
        decision=decision,
        decision_age_seconds=(measurement.measured_at - decision.decided_at).total_seconds() if decision and decision.decided_at else 0.0,
    )


class History:
    """All glances of a demo, in order."""

    def __init__(self) -> None:
        self.glances: list[Glance] = []

    def add(self, glance: Glance) -> None:
        """Remember one more."""
        self.glances.append(glance)

    @property
    def latest(self) -> Glance:
        """The last one; an empty one before the first."""
        return self.glances[-1] if self.glances else Glance(seconds=0.0)

    @property
    def peak_workers(self) -> int:
        """The most workers seen."""
        return max((glance.workers for glance in self.glances), default=0)

    @property
    def peak_slots(self) -> int:
        """The most tasks that could be leased at once."""
        return max((max(glance.slots, glance.running) for glance in self.glances), default=0)

    @property
    def pod_seconds(self) -> float:
        """Workers integrated over time: each glance holds until the next."""
        return sum(before.workers * (after.seconds - before.seconds) for before, after in pairwise(self.glances))

    @property
    def drain_seconds(self) -> float:
        """From the first look that saw work to the first after which none was seen."""
        busy = [place for place, glance in enumerate(self.glances) if not glance.idle]
        if not busy:
            return 0.0
        after = min(busy[-1] + 1, len(self.glances) - 1)
        return self.glances[after].seconds - self.glances[busy[0]].seconds

    def completed_per_minute(self, *, over_seconds: float = 10.0) -> float:
        """Rate of successes over the last moments."""
        return self._per_minute([glance.succeeded for glance in self.glances], over_seconds=over_seconds)

    def failed_per_minute(self, *, over_seconds: float = 10.0) -> float:
        """Rate of dead letters over the last moments."""
        return self._per_minute([glance.failed for glance in self.glances], over_seconds=over_seconds)

    def finished_rates(self) -> Sequence[float]:
        """Tasks finished per second, between one glance and the next, from just before the first one finished."""
        rates = [
            (after.finished - before.finished) / max(after.seconds - before.seconds, 0.001) for before, after in pairwise(self.glances)
        ]
        first = next((place for place, rate in enumerate(rates) if rate), 0)
        return rates[max(first - 1, 0) :]

    def _per_minute(self, counts: Sequence[int], *, over_seconds: float) -> float:
        end = self.latest.seconds
        start = next((place for place, glance in enumerate(self.glances) if glance.seconds >= end - over_seconds), None)
        if start is None or self.glances[start].seconds >= end:
            return 0.0
        return 60.0 * (counts[-1] - counts[start]) / (end - self.glances[start].seconds)
