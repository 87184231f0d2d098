"""A rate law in the manner of the Flink Kubernetes operator's autoscaler (and DS2 before it).

Over a window it measures what arrives and what a busy slot gets done, and asks for as many slots as keep up with the arrivals at the
target utilization and work off the backlog within the catch-up time. Defaults as documented: 0.7 ± 0.3 over 15 minutes, catch-up in 30,
five minutes of rest after each change, an hour before it shrinks. It has no notion of a waiting time, and it never goes to zero. Flink
restarts the job at each change; here workers go on, which flatters it.
"""

from collections import deque
from dataclasses import dataclass
from math import ceil

from taskfleet_operator.scaling import ARRIVED, QueueObservation
from taskfleet_operator.simulation.controllers import Orders


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLawSpec:
    """The autoscaler's settings."""

    max_replicas: int
    slots: int = 1
    utilization: float = 0.7
    boundary: float = 0.3
    window_seconds: float = 900.0
    catch_up_seconds: float = 1800.0
    rest_seconds: float = 300.0
    scale_down_seconds: float = 3600.0
    most_shrink: float = 0.6
    """At most so much of the replicas goes at once."""
    until: float = 0.0
    """Somebody ends the job when this time is over and nothing is left; by itself it never ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sample:
    at: float
    arrived: int
    finished: int
    busy: float


class RateLaw:
    """One scaled job vertex: the queue's workers."""

    tick_seconds = 60.0
    grace_seconds = float("inf")

    def __init__(self, spec: RateLawSpec, *, name: str = "rate-law") -> None:
        self.name = name
        self._spec = spec
        self._samples: deque[_Sample] = deque()
        self._rests_until = 0.0
        self._shrinks: deque[tuple[float, int]] = deque()
        """What it would have shrunk to, since it first would have."""

    def orders(self, observation: QueueObservation, *, now: float) -> Orders:
        """Measure; decide unless resting."""
        self._measure(observation, now=now)
        if now >= self._spec.until and not observation.ready and not observation.running and observation.totals:
            return Orders(replicas=0)
        replicas = max(1, observation.replicas)
        wanted = self._wanted(observation, replicas)
        decided = replicas if now < self._rests_until else self._timed(wanted, replicas, now=now)
        if decided != replicas:
            self._rests_until = now + self._spec.rest_seconds
            self._shrinks.clear()
        return Orders(replicas=decided)

    def _measure(self, observation: QueueObservation, *, now: float) -> None:
        finished = [total for total in observation.totals if total.outcome in {"succeeded", "failed"}]
        self._samples.append(
            _Sample(
                at=now,
                arrived=sum(total.count for total in observation.totals if total.outcome == ARRIVED),
                finished=sum(total.count for total in finished),
                busy=sum(total.busy_seconds for total in finished),
            )
        )
        while len(self._samples) > 2 and self._samples[1].at <= now - self._spec.window_seconds:
            self._samples.popleft()

    def _wanted(self, observation: QueueObservation, replicas: int) -> int:
        first, last = self._samples[0], self._samples[-1]
        if last.finished == first.finished:
            return replicas
        per_replica = self._spec.slots * (last.finished - first.finished) / (last.busy - first.busy)
        arrivals = (last.arrived - first.arrived) / (last.at - first.at)
        catch_up = sum(bucket.count for bucket in observation.ready) / self._spec.catch_up_seconds
        return parallelism(self._spec, replicas, per_replica=per_replica, arrivals=arrivals, catch_up=catch_up)

    def _timed(self, wanted: int, replicas: int, *, now: float) -> int:
        """Growth is at once; shrinking waits its hour and goes to the highest of it."""
        if wanted >= replicas:
            self._shrinks.clear()
            return wanted
        self._shrinks.append((now, wanted))
        if now - self._shrinks[0][0] < self._spec.scale_down_seconds:
            return replicas
        return max(count for _, count in self._shrinks)


def parallelism(spec: RateLawSpec, replicas: int, *, per_replica: float, arrivals: float, catch_up: float) -> int:
    """Replicas for these rates, all in tasks a second; the present ones while they serve within the boundaries.

    Four tasks a second, each replica doing one when busy, no backlog: 4 / 0.7 → 6.
    """
    capacity = replicas * per_replica
    most = spec.utilization - spec.boundary
    enough = arrivals / (spec.utilization + spec.boundary) + catch_up
    too_much = arrivals / most + catch_up if most > 0 else float("inf")
    if enough <= capacity <= too_much:
        return replicas
    needed = (arrivals / spec.utilization + catch_up) / per_replica
    least = replicas * (1 - spec.most_shrink)
    return max(1, min(spec.max_replicas, ceil(max(needed, least))))
